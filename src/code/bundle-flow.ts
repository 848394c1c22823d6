/** One flow file and all it imports as one ES module. Left outside: `meshflow` itself, Node's built-ins, packages with native code. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, isAbsolute, join, relative } from "node:path";
import * as esbuild from "esbuild";
import { MfError } from "../model/errors.ts";
import { findPackage, packageNameOf, type InstalledPackage } from "./native-package.ts";

export interface FlowBundle {
  readonly file: string;
  readonly directory: string;
  readonly id: string;
  readonly text: string;
  /** Source map, JSON text; its sources are relative to `directory`. */
  readonly map: string;
  /** Every file that went in, as esbuild's path comments name it (relative to `directory`). */
  readonly inputs: readonly string[];
  /** Import specifier in the bundle -> the package behind it. */
  readonly externals: ReadonlyMap<string, InstalledPackage>;
}

export async function bundleFlow(file: string): Promise<FlowBundle> {
  if (!existsSync(file)) throw new MfError("FLOW_FILE_MISSING", { file });
  const directory = dirname(file);
  const externals = new Map<string, InstalledPackage>();
  const output = await build(file, directory, externals);
  const text = pick(output, ".mjs");
  return {
    file,
    directory,
    text,
    externals,
    id: createHash("sha256").update(text).digest("hex"),
    map: pick(output, ".mjs.map"),
    inputs: Object.keys(output.metafile?.inputs ?? {}),
  };
}

async function build(
  file: string,
  directory: string,
  externals: Map<string, InstalledPackage>,
): Promise<esbuild.BuildResult> {
  try {
    return await esbuild.build({
      entryPoints: [file],
      absWorkingDir: directory,
      outfile: join(directory, "flow.mjs"),
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "node",
      target: "node20.19",
      charset: "utf8",
      legalComments: "none",
      sourcemap: "external",
      sourcesContent: false,
      logLevel: "silent",
      // The user's tsconfig may hold options of another tool's build; only what decides the meaning of syntax is ours to fix.
      tsconfigRaw: {
        compilerOptions: { verbatimModuleSyntax: false, useDefineForClassFields: true },
      },
      plugins: [outsidePlugin(directory, externals)],
    });
  } catch (error) {
    throw buildError(error, file, directory);
  }
}

function outsidePlugin(
  directory: string,
  externals: Map<string, InstalledPackage>,
): esbuild.Plugin {
  const found = new Map<string, InstalledPackage | undefined>();
  const look = (name: string, from: string): InstalledPackage | undefined => {
    const key = `${from}\0${name}`;
    if (!found.has(key)) found.set(key, findPackage(name, from));
    return found.get(key);
  };
  return {
    name: "outside",
    setup(builder) {
      builder.onResolve({ filter: /^meshflow(\/|$)/ }, (args) => ({
        path: args.path,
        external: true,
      }));
      builder.onResolve({ filter: /^[^./]/ }, (args) => {
        if (args.kind === "entry-point" || args.path.startsWith("node:") || isAbsolute(args.path))
          return undefined;
        const name = packageNameOf(args.path);
        const here = look(name, args.resolveDir);
        if (here === undefined || !here.isNative) return undefined;
        // A copy that the flow's directory does not see by name is named by its place.
        const isVisible = look(name, directory)?.directory === here.directory;
        const place = `./${relative(directory, here.directory).replaceAll("\\", "/")}`;
        const path = isVisible ? args.path : place + args.path.slice(name.length);
        externals.set(path, here);
        return { path, external: true };
      });
    },
  };
}

function pick(output: esbuild.BuildResult, ending: string): string {
  const file = output.outputFiles?.find((item) => item.path.endsWith(ending));
  return file?.text ?? "";
}

function buildError(error: unknown, file: string, directory: string): MfError {
  const first = (error as Partial<esbuild.BuildFailure>).errors?.[0];
  if (first === undefined)
    return new MfError("FLOW_BUILD_FAILED", { file, reason: String(error) }, { cause: error });
  const missing = /^Could not resolve "([^"./][^"]*)"/.exec(first.text)?.[1];
  if (missing !== undefined && !isAbsolute(missing)) {
    const importer = first.location === null ? file : join(directory, first.location.file);
    return new MfError(
      "PACKAGE_UNRESOLVED",
      { package: packageNameOf(missing), file: importer },
      { cause: error },
    );
  }
  const at =
    first.location === null
      ? ""
      : `${first.location.file}:${first.location.line}:${first.location.column + 1}: `;
  return new MfError("FLOW_BUILD_FAILED", { file, reason: at + first.text }, { cause: error });
}
