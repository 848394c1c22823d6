/** A flow file read, checked and with its parameters: what `run`, `check` and `show` begin with. */
import { accessSync, constants, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { checkTypes } from "../src/code/check-types.ts";
import { loadFlow, type LoadedFlow } from "../src/code/load-flow.ts";
import { isMfError, MfError } from "../src/model/errors.ts";
import type { CommandContext } from "./command-context.ts";
import type { Interrupt } from "./interrupt.ts";
import { makeFolder } from "../src/std/make-folder.ts";

export interface FlowSourceOptions {
  readonly params: Readonly<Record<string, string>>;
  /** False: the graph and the code only, whatever parameters are missing (`check`, `show`). */
  readonly validateParams: boolean;
  /** Parameters that have their values already. */
  readonly settled?: readonly string[];
  readonly checkTypes: boolean;
}

/** Loads and type-checks at the same time. Where both fail the types are reported: they are the cause and have lines. */
export async function loadFlowSource(
  context: CommandContext,
  file: string,
  options: FlowSourceOptions,
): Promise<LoadedFlow> {
  const path = resolve(file);
  if (!existsSync(path)) throw new MfError("FLOW_FILE_MISSING", { file });
  const cache = cacheOption(context.home);
  const { params, validateParams, settled = [] } = options;
  const [loaded, problems] = await Promise.allSettled([
    loadFlow(path, { params, validateParams, settled, ...cache }),
    options.checkTypes ? checkTypes(path, cache) : Promise.resolve([]),
  ]);
  const isParamError =
    loaded.status === "rejected" &&
    isMfError(loaded.reason) &&
    loaded.reason.code.startsWith("PARAM_");
  if (!isParamError && problems.status === "fulfilled" && problems.value.length > 0) {
    const count = problems.value.length;
    throw new MfError("FLOW_TYPES_INVALID", { file, count, problems: problems.value });
  }
  if (loaded.status === "rejected") throw loaded.reason;
  if (problems.status === "rejected") throw problems.reason;
  return loaded.value;
}

/** The same, for a command that listens for Ctrl-C: that ends the compilers too, and their complaint is not the flow's. */
export async function loadUnlessInterrupted(
  context: CommandContext,
  file: string,
  { interrupt, ...options }: FlowSourceOptions & { readonly interrupt: Interrupt },
): Promise<LoadedFlow> {
  try {
    return await loadFlowSource(context, file, options);
  } catch (error) {
    throw interrupt.isAsked() ? new MfError("INTERRUPTED") : error;
  }
}

/** A home that cannot be written is the store's to report; looking at a flow works without. */
export function cacheOption(home: string): { cacheDir?: string } {
  const cacheDir = join(home, "cache");
  try {
    makeFolder(cacheDir);
    accessSync(cacheDir, constants.W_OK);
    return { cacheDir };
  } catch {
    return {};
  }
}

export interface ParamOptions {
  readonly param?: readonly string[];
  readonly paramsFile?: string;
}

/** `-P file.json` first, then each `-p name=value` over it. Values of the file that are not text travel as JSON text. */
export async function readParams(
  { param = [], paramsFile }: ParamOptions,
  command: string,
): Promise<Record<string, string>> {
  const params =
    paramsFile === undefined
      ? new Map<string, string>()
      : await readParamsFile(paramsFile, command);
  for (const text of param) {
    const at = text.indexOf("=");
    if (at <= 0)
      throw new MfError("USAGE", { message: `-p takes name=value, not "${text}".`, command });
    params.set(text.slice(0, at), text.slice(at + 1));
  }
  return Object.fromEntries(params);
}

async function readParamsFile(file: string, command: string): Promise<Map<string, string>> {
  const wrong = (reason: string): MfError =>
    new MfError("USAGE", { message: `-P ${file}: ${reason}.`, command });
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw wrong(error.code === "ENOENT" ? "there is no such file" : error.message);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : "not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong("not a JSON object");
  const entries = Object.entries(value).map(([name, entry]): [string, string] => [
    name,
    typeof entry === "string" ? entry : JSON.stringify(entry),
  ]);
  return new Map(entries);
}
