/** What a path in a flow file means: it is relative to that file. */
import { existsSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { upward } from "./native-package.ts";

/** Beside the flow file; or, where that does not exist, inside an installed package (`vega-datasets/data/iris.json`). */
export function pathBeside(flowFile: string, value: string): string {
  const directory = dirname(flowFile);
  const beside = resolve(directory, value);
  if (existsSync(beside) || isAbsolute(value) || value.startsWith(".")) return beside;
  for (const place of upward(directory)) {
    const candidate = join(place, "node_modules", value);
    if (existsSync(candidate)) return candidate;
  }
  return beside;
}
