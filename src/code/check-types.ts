/** Type check of a lone flow file by the TypeScript that ships with Meshflow: no tsconfig, package.json or node_modules needed beside it. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MfError } from "../model/errors.ts";
import { bundleFlow } from "./bundle-flow.ts";

export interface TypeProblem {
  /** Absolute path; "" for a problem of no file. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** `TS2345`. */
  readonly code: string;
  readonly message: string;
}

export interface CheckOptions {
  /** Keeps verdicts, so that an unchanged flow is not checked again. */
  readonly cacheDir?: string;
  /** Declarations of `meshflow`; default: those of the Meshflow that runs. */
  readonly meshflowTypes?: string;
  readonly signal?: AbortSignal;
}

const MESHFLOW_TYPES = fileURLToPath(new URL("../index.d.ts", import.meta.url));

export async function checkTypes(file: string, options: CheckOptions = {}): Promise<TypeProblem[]> {
  const flowFile = resolve(file);
  const types = options.meshflowTypes ?? MESHFLOW_TYPES;
  const verdict =
    options.cacheDir === undefined
      ? undefined
      : join(options.cacheDir, `types-${await inputsHash(flowFile, types)}.json`);
  if (verdict !== undefined && existsSync(verdict))
    return JSON.parse(await readFile(verdict, "utf8")) as TypeProblem[];
  const problems = await runCompiler(flowFile, types, options.signal);
  if (verdict !== undefined) {
    await mkdir(dirname(verdict), { recursive: true });
    const draft = `${verdict}.${process.pid}`;
    await writeFile(draft, JSON.stringify(problems));
    await rename(draft, verdict);
  }
  return problems;
}

/** Contents of every file that goes into the bundle, and of the declarations of meshflow. */
async function inputsHash(file: string, types: string): Promise<string> {
  const bundle = await bundleFlow(file);
  const hash = createHash("sha256");
  const listed = await readdir(dirname(types), { recursive: true });
  const declarations = listed
    .filter((name) => name.endsWith(".d.ts"))
    .map((name) => join(dirname(types), name));
  const inputs = bundle.inputs.map((input) => join(bundle.directory, input));
  const paths = [
    createRequire(import.meta.url).resolve("typescript/package.json"),
    ...declarations.sort(),
    ...inputs.sort(),
  ];
  for (const path of [...paths, file]) {
    if (existsSync(path))
      hash
        .update(path)
        .update("\0")
        .update(await readFile(path))
        .update("\0");
  }
  for (const external of bundle.externals.values())
    hash.update(`${external.name}@${external.version}`);
  return hash.digest("hex");
}

async function runCompiler(
  file: string,
  types: string,
  signal: AbortSignal | undefined,
): Promise<TypeProblem[]> {
  const directory = await mkdtemp(join(tmpdir(), "mf-check-"));
  try {
    const config = join(directory, "tsconfig.json");
    await writeFile(config, JSON.stringify(compilerConfig(file, types)));
    const { output, code } = await runTsc(
      ["-p", config, "--pretty", "false"],
      dirname(file),
      signal,
    );
    const problems = parseProblems(output, dirname(file));
    if (problems.length === 0 && code !== 0)
      throw new MfError("INTERNAL", {
        message: `the type checker ended with ${String(code)}: ${output.trim()}`,
      });
    return problems;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function compilerConfig(file: string, types: string): object {
  const nodeTypes = dirname(createRequire(import.meta.url).resolve("@types/node/package.json"));
  return {
    files: [file],
    compilerOptions: {
      noEmit: true,
      strict: true,
      target: "es2023",
      lib: ["es2023", "esnext.disposable", "es2024.promise"],
      module: "preserve",
      moduleResolution: "bundler",
      moduleDetection: "force",
      allowImportingTsExtensions: true,
      resolveJsonModule: true,
      esModuleInterop: true,
      skipLibCheck: true,
      jsx: "react-jsx",
      types: ["node"],
      typeRoots: [dirname(nodeTypes)],
      paths: {
        meshflow: [types],
        "meshflow/testing": [join(dirname(types), "testing", "index.d.ts")],
        "meshflow/client": [join(dirname(types), "client", "index.d.ts")],
      },
    },
  };
}

function runTsc(
  args: readonly string[],
  cwd: string,
  signal: AbortSignal | undefined,
): Promise<{ output: string; code: number | null }> {
  const manifest = createRequire(import.meta.url).resolve("typescript/package.json");
  return new Promise((done, reject) => {
    const compiler = spawn(process.execPath, [join(dirname(manifest), "bin", "tsc"), ...args], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      ...(signal === undefined ? {} : { signal }),
    });
    let output = "";
    for (const stream of [compiler.stdout, compiler.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    compiler.on("error", (error) =>
      reject(signal?.aborted === true ? new MfError("INTERRUPTED") : error),
    );
    compiler.on("close", (code) => done({ output, code }));
  });
}

/** `flow.ts(3,7): error TS2345: message`, with continuation lines indented. */
export function parseProblems(output: string, cwd: string): TypeProblem[] {
  const problems: TypeProblem[] = [];
  for (const line of output.split(/\r?\n/)) {
    const placed = /^(.+?)\((\d+),(\d+)\): error (TS\d+): (.*)$/.exec(line);
    const placeless = /^error (TS\d+): (.*)$/.exec(line);
    const last = problems.at(-1);
    if (placed !== null) {
      const [, file = "", row = "1", column = "1", code = "", message = ""] = placed;
      problems.push({
        file: resolve(cwd, file),
        line: Number(row),
        column: Number(column),
        code,
        message,
      });
    } else if (placeless !== null) {
      problems.push({
        file: "",
        line: 1,
        column: 1,
        code: placeless[1] ?? "",
        message: placeless[2] ?? "",
      });
    } else if (last !== undefined && /^\s+\S/.test(line)) {
      problems[problems.length - 1] = { ...last, message: `${last.message}\n${line}` };
    }
  }
  return problems;
}
