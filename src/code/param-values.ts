/** Texts of the command line to values, by each parameter's own Standard Schema. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { FlowGraph, ParamDeclaration } from "../graph/flow-graph.ts";
import { MfError } from "../model/errors.ts";
import { pathBeside } from "./path-beside.ts";

export interface ParamValue {
  readonly value: unknown;
  readonly kind: string;
  readonly text: string;
}

interface Issue {
  readonly message: string;
}

type Validation =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

/** The part of Standard Schema v1 that is used here. */
export interface SchemaLike {
  readonly "~standard": { validate(value: unknown): Validation | Promise<Validation> };
}

export interface ParamTexts {
  readonly graph: FlowGraph;
  readonly schemas: ReadonlyMap<string, SchemaLike>;
  readonly texts: Readonly<Record<string, string>>;
  readonly flowFile: string;
  readonly cwd: string;
  /** Parameters that have their values already: read only where there is a text for them. */
  readonly settled?: readonly string[];
}

export async function paramValues(given: ParamTexts): Promise<Record<string, ParamValue>> {
  const { graph, texts, settled = [] } = given;
  for (const name of Object.keys(texts)) {
    if (!graph.params.some((item) => item.name === name)) throw unknownParam(graph, name);
  }
  const values: Record<string, ParamValue> = {};
  for (const declaration of graph.params) {
    const { name } = declaration;
    if (settled.includes(name) && !Object.hasOwn(texts, name)) continue;
    values[name] = await paramValue(given, declaration);
  }
  return values;
}

async function paramValue(given: ParamTexts, declaration: ParamDeclaration): Promise<ParamValue> {
  const { name, kind } = declaration;
  const text = Object.hasOwn(given.texts, name) ? given.texts[name] : undefined;
  const schema = given.schemas.get(name);
  if (schema === undefined)
    throw new MfError("INTERNAL", { message: `parameter ${name} has no schema` });
  const value =
    text === undefined
      ? await defaultOf(given, declaration, schema)
      : await parse(given, declaration, schema, text);
  if (kind !== "file" || typeof value !== "string")
    return { value, kind, text: text ?? textOf(value) };
  const path = text === undefined ? pathBeside(given.flowFile, value) : resolve(given.cwd, value);
  if (!existsSync(path)) throw invalid(given, name, `there is no file ${path}`, text ?? value);
  return { value: path, kind, text: path };
}

async function defaultOf(
  given: ParamTexts,
  declaration: ParamDeclaration,
  schema: SchemaLike,
): Promise<unknown> {
  const answer = await schema["~standard"].validate(undefined);
  if (answer.issues === undefined) return answer.value;
  const { name, kind, defaultText } = declaration;
  if (defaultText === undefined)
    throw new MfError("PARAM_MISSING", { flow: given.graph.name, param: name, kind });
  throw invalid(given, name, reasonOf(answer.issues), defaultText);
}

async function parse(
  given: ParamTexts,
  declaration: ParamDeclaration,
  schema: SchemaLike,
  text: string,
): Promise<unknown> {
  let issues: readonly Issue[] = [];
  for (const candidate of readings(text)) {
    const answer = await schema["~standard"].validate(candidate);
    if (answer.issues === undefined) return answer.value;
    issues = answer.issues;
  }
  throw invalid(given, declaration.name, reasonOf(issues), text);
}

/** What a text may mean to a schema that refuses text, the text itself first. */
function* readings(text: string): Generator {
  yield text;
  const trimmed = text.trim();
  try {
    yield JSON.parse(trimmed) as unknown;
  } catch {
    const number = Number(trimmed);
    if (trimmed !== "" && !Number.isNaN(number)) yield number;
    const word = trimmed.toLowerCase();
    if (["yes", "on", "true"].includes(word)) yield true;
    if (["no", "off", "false"].includes(word)) yield false;
    if (/^-?\d+n$/.test(trimmed)) yield BigInt(trimmed.slice(0, -1));
  }
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return (
    JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `${item}n` : item)) ??
    String(value)
  );
}

function reasonOf(issues: readonly Issue[]): string {
  return issues.map((item) => item.message).join("; ") || "the schema refuses it";
}

function invalid({ graph }: ParamTexts, param: string, reason: string, value: string): MfError {
  return new MfError("PARAM_INVALID", {
    flow: graph.name,
    param,
    reason,
    value: JSON.stringify(value),
  });
}

function unknownParam(graph: FlowGraph, param: string): MfError {
  const names = graph.params.map((item) => item.name);
  const near = names
    .map((name) => ({ name, far: distance(name.toLowerCase(), param.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)[0];
  const isNear = near !== undefined && near.far <= Math.max(1, Math.floor(param.length / 3));
  const list = names.length === 0 ? "It has no parameters." : `It has: ${names.join(", ")}.`;
  return new MfError("PARAM_UNKNOWN", {
    flow: graph.name,
    param,
    hint: isNear ? `Did you mean "${near.name}"? ${list}` : list,
  });
}

/** Edits (insert, remove, replace) between two words. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of from.split("").entries()) {
    const next = [index + 1];
    for (const [column, other] of to.split("").entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
