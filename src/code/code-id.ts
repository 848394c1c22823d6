/** The identity of a step's code: what it says, not how it is laid out. */
import { createHash } from "node:crypto";
import * as esbuild from "esbuild";
import type { CodeId } from "../model/ids.ts";
import type { ScriptCode } from "./flow-package.ts";

/** Comments and line breaks of the user's statements do not count; the packages' part nobody reformats. */
export async function scriptCodeId({
  slice,
  packages,
  externals,
}: Pick<ScriptCode, "slice" | "packages" | "externals">): Promise<CodeId> {
  const canonical = await esbuild.transform(slice, {
    minifyWhitespace: true,
    legalComments: "none",
    charset: "utf8",
    target: "esnext",
  });
  const identity = [
    canonical.code,
    packages ?? "",
    externals.map((item) => [item.name, item.version, item.integrity]),
  ];
  return createHash("sha256").update(JSON.stringify(identity)).digest("hex") as CodeId;
}
