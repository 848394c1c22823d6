/**
 * The small kit of parameter kinds. Any Standard Schema (zod, valibot, arktype) works as well; the kit adds what a command line
 * needs: text is read into the kind, a default and a line of help are shown. Each of them is a Standard Schema itself.
 */
import type { ParamDeclaration } from "../graph/flow-graph.ts";
import { MfError } from "../model/errors.ts";
import type { FileRef } from "./file-ref.ts";
import { issuesText } from "./standard-schema.ts";
import type { SchemaResult, StandardSchema } from "./standard-schema.ts";
import { isRecord, show } from "./step-settings.ts";

const DETAILS: unique symbol = Symbol.for("meshflow.param");

interface ParamDetails {
  readonly kind: string;
  readonly help?: string;
  readonly defaultText?: string;
  readonly choices?: readonly string[];
}

export interface Param<T> extends StandardSchema<unknown, T> {
  readonly [DETAILS]: ParamDetails;
}

interface ParamKind<T> {
  readonly kind: string;
  readonly help: string | undefined;
  readonly initial: T | undefined;
  readonly choices?: readonly string[];
  /** Undefined: refused, because the value is not `wanted`. */
  readonly read: (value: unknown) => T | undefined;
  readonly wanted: string;
}

function makeParam<T>(of: ParamKind<T>): Param<T> {
  const validate = (value: unknown): SchemaResult<T> => {
    if (value === undefined && of.initial !== undefined) return { value: of.initial };
    const result = value === undefined ? undefined : of.read(value);
    return result === undefined
      ? { issues: [{ message: `expected ${of.wanted}` }] }
      : { value: result };
  };
  return {
    "~standard": { version: 1, vendor: "meshflow", validate },
    [DETAILS]: {
      kind: of.kind,
      ...(of.help === undefined ? {} : { help: of.help }),
      ...(of.initial === undefined ? {} : { defaultText: valueText(of.initial) }),
      ...(of.choices === undefined ? {} : { choices: of.choices }),
    },
  };
}

/** Kinds of parameters: `p.number(0.1, 'learning rate')`. Without a default a parameter is required. */
export const p = {
  /** A text. */
  string(initial?: string, help?: string): Param<string> {
    const read = (value: unknown) => (typeof value === "string" ? value : undefined);
    return makeParam({ kind: "string", help, initial, read, wanted: "a text" });
  },
  /** A finite number. */
  number(initial?: number, help?: string): Param<number> {
    return makeParam({ kind: "number", help, initial, read: readNumber, wanted: "a number" });
  },
  /** true or false. @default false */
  flag(initial = false, help?: string): Param<boolean> {
    return makeParam({ kind: "flag", help, initial, read: readFlag, wanted: "true or false" });
  },
  /** One of a few words; their literal types reach the steps and make switch() exhaustive. */
  oneOf<const Words extends readonly string[]>(
    choices: Words,
    initial?: Words[number],
    help?: string,
  ): Param<Words[number]> {
    const read = (value: unknown): Words[number] | undefined =>
      choices.find((word) => word === value);
    return makeParam<Words[number]>({
      kind: "one-of",
      help,
      initial,
      choices,
      read,
      wanted: `one of ${choices.join(", ")}`,
    });
  },
  /**
   * A file. It is stored when a run begins, so the run keeps its content. A default is relative to the flow file;
   * `-p name=path` is relative to where `mf` runs.
   * Validation yields the path; steps get a FileRef.
   */
  file(initial?: string, help?: string): Param<FileRef> {
    const read = (value: unknown) =>
      typeof value === "string" && value !== "" ? value : undefined;
    const param: Param<string> = makeParam({
      kind: "file",
      help,
      initial,
      read,
      wanted: "the path of a file",
    });
    return param as unknown as Param<FileRef>;
  },
  /** Any data, given as JSON text: `p.json<number[]>([1, 2])`. For checked shapes use a Standard Schema instead. */
  json<T = unknown>(initial?: T, help?: string): Param<T> {
    return makeParam<T>({
      kind: "json",
      help,
      initial,
      read: (value) => readJson(value) as T,
      wanted: "JSON",
    });
  },
} as const;

function readNumber(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : undefined;
}

function readFlag(value: unknown): boolean | undefined {
  if (value === true || value === "true") return true;
  return value === false || value === "false" ? false : undefined;
}

function readJson(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

export function isSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard = (value as { "~standard"?: unknown })["~standard"];
  return isRecord(standard) && typeof standard["validate"] === "function";
}

/** What the command line and diagrams show of a parameter. */
export function declareParam(name: string, schema: StandardSchema): ParamDeclaration {
  const details = (schema as Partial<Param<unknown>>)[DETAILS];
  return details === undefined ? { name, ...foreignDetails(schema) } : { name, ...details };
}

/** Other libraries' schemas: the default is what they make of `undefined`; help and choices come where they offer a JSON Schema. */
function foreignDetails(schema: StandardSchema): ParamDetails {
  const shape = jsonSchemaOf(schema);
  const help = shape["description"];
  const choices = shape["enum"];
  const result = schema["~standard"].validate(undefined);
  // An asynchronous schema cannot be asked while the graph is built: its parameter counts as required.
  const absent = result instanceof Promise ? { issues: [] } : result;
  if (result instanceof Promise) result.catch(() => undefined);
  return {
    kind: "json",
    ...(typeof help === "string" ? { help } : {}),
    ...(absent.issues === undefined ? { defaultText: valueText(absent.value) } : {}),
    ...(Array.isArray(choices) && choices.every((word) => typeof word === "string")
      ? { choices }
      : {}),
  };
}

function jsonSchemaOf(schema: StandardSchema): Readonly<Record<string, unknown>> {
  const jsonSchema = (
    schema["~standard"] as { jsonSchema?: { input?: (options: object) => unknown } }
  ).jsonSchema;
  try {
    const shape = jsonSchema?.input?.({ target: "draft-2020-12" });
    return isRecord(shape) ? shape : {};
  } catch {
    return {}; // A schema without a JSON form still validates; only help and choices are missing.
  }
}

/**
 * Reads a parameter as given on a command line (`undefined`: not given). Kit kinds read text themselves; other schemas are tried
 * with the text, then with the text read as JSON.
 * @throws MfError PARAM_MISSING, PARAM_INVALID
 */
export async function readParam(
  flow: string,
  param: { readonly declaration: ParamDeclaration; readonly schema: StandardSchema },
  text: string | undefined,
): Promise<unknown> {
  const { name, kind } = param.declaration;
  const validate = param.schema["~standard"].validate;
  const first = await validate(text);
  if (first.issues === undefined) return first.value;
  if (text === undefined) throw new MfError("PARAM_MISSING", { flow, param: name, kind });
  const data = readJson(text);
  const second = data === undefined ? first : await validate(data);
  if (second.issues === undefined) return second.value;
  throw new MfError("PARAM_INVALID", {
    flow,
    param: name,
    reason: issuesText(second.issues),
    value: show(text),
  });
}

function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  return JSON.stringify(value) ?? String(value);
}
