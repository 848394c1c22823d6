/** Flow files written to a temporary directory and loaded against a stand-in for the authoring module. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { compileStep } from "../../../src/code/evaluate-slice.ts";
import type { FlowPackage, ScriptCode } from "../../../src/code/flow-package.ts";
import { loadFlow, type LoadedFlow, type LoadOptions } from "../../../src/code/load-flow.ts";

const fixture = (name: string): string =>
  new URL(`../../../../test/fixtures/code/${name}`, import.meta.url).href;

export const FAKE_MESHFLOW = fixture("fake-meshflow.mjs");
export const FAKE_CODEC = fixture("fake-codec.mjs");

export async function writeFlow(
  t: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mf-code-test-"));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeFiles(directory, files);
  return join(directory, "flow.ts");
}

export async function writeFiles(
  directory: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
}

export function load(file: string, options: LoadOptions = {}): Promise<LoadedFlow> {
  return loadFlow(file, { meshflowUrl: FAKE_MESHFLOW, codecUrl: FAKE_CODEC, ...options });
}

export async function loadFiles(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  options: LoadOptions = {},
): Promise<LoadedFlow> {
  return await load(await writeFlow(t, files), options);
}

export function scriptOf(flow: FlowPackage, step: string): ScriptCode {
  const code = flow.steps[step];
  if (code?.kind !== "script") throw new Error(`${step} is not a script step`);
  return code;
}

/** Runs a step's slice alone. */
export async function runStep(
  flow: FlowPackage,
  step: string,
  inputs: unknown = {},
): Promise<unknown> {
  const { fn } = await compileStep(scriptOf(flow, step), FAKE_MESHFLOW).instantiate();
  return await fn(inputs, {});
}

/** A flow of one step `s` whose module is `top` and whose function is `fn`. */
export function oneStep(top: string, fn: string): string {
  return `import { flow } from "meshflow";\n${top}\nconst f = flow("one");\nf.step("s", {}, ${fn});\nexport default f;\n`;
}
