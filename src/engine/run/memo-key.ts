/**
 * The identity of a task: what it is, wherever and whenever it runs (design §1). Two tasks with one memo key have one
 * result, so a changed rule here forgets every fact ever made: golden vectors in the tests hold it still.
 */
import { hash } from "node:crypto";
import { WHOLE_INPUT } from "../../graph/queries.ts";
import type { InputSource, TaskInputs } from "../../model/fact.ts";
import type { Cid, MemoKey } from "../../model/ids.ts";

export interface MemoKeyParts {
  readonly code: string;
  readonly env: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly seed: string;
  readonly salt?: string;
}

/** The id of an input value: its content's where that is known, else a digest of the ids it is made of. */
export function inputId(source: InputSource): string {
  switch (source.k) {
    case "artifact":
      return contentId(source.id, source.path);
    case "bytes":
      return source.id;
    case "list":
      return listId(source.items);
    case "object":
      return `object:${digestOf(
        Object.keys(source.fields)
          .sort()
          .map((name) => [name, inputId(source.fields[name] as InputSource)]),
      )}`;
  }
}

/** A property inside an artifact has no id of its own; parts are escaped so that no two paths spell alike. */
export function contentId(id: Cid, path: readonly string[] | undefined): string {
  return path === undefined || path.length === 0
    ? id
    : `${id}/${path.map(encodeURIComponent).join("/")}`;
}

export function inputIds(inputs: TaskInputs): Record<string, string> {
  if ("whole" in inputs) return { [WHOLE_INPUT]: inputId(inputs.whole) };
  const ids: Record<string, string> = {};
  for (const name of Object.keys(inputs.fields))
    ids[name] = inputId(inputs.fields[name] as InputSource);
  return ids;
}

/** The order in which inputs were written does not matter; their names do. */
export function memoKeyOf(parts: MemoKeyParts): MemoKey {
  const inputs = Object.keys(parts.inputs)
    .sort()
    .map((name) => [name, parts.inputs[name]]);
  return digestOf([
    "mf-memo-1",
    parts.code,
    parts.env,
    inputs,
    parts.seed,
    parts.salt ?? "",
  ]) as MemoKey;
}

/** The index is in it, so that equal elements of a foreach draw differently, and a rerun draws the same. */
export function seedOf(
  flow: string,
  step: string,
  index: readonly number[],
  runSeed: string,
): string {
  return digestOf(["mf-seed-1", flow, step, index, runSeed]);
}

/** A collect() of ten thousand is hashed once for all its readers. */
const listIds = new WeakMap<readonly InputSource[], string>();

function listId(items: readonly InputSource[]): string {
  const known = listIds.get(items);
  if (known !== undefined) return known;
  const id = `list:${digestOf(items.map(inputId))}`;
  listIds.set(items, id);
  return id;
}

function digestOf(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "hex");
}
