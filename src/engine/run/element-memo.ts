/**
 * Where the elements of a list were remembered: cutting a list is itself a fact, keyed by the list's content, so a rerun
 * iterates over stored lists without starting a host. Such facts belong to no flow; listings leave them out.
 */
import type { ArtifactRef, Fact } from "../../model/fact.ts";
import type { CodeId, MemoKey } from "../../model/ids.ts";
import { memoKeyOf } from "./memo-key.ts";

/** Changes when the format of element tables does. */
const ELEMENTS_CODE = "meshflow-elements-1" as CodeId;
export const ELEMENTS_OUTPUT = "table";

export function elementsKey(listId: string): MemoKey {
  return memoKeyOf({ code: ELEMENTS_CODE, env: "", inputs: { list: listId }, seed: "" });
}

export function elementsFact(
  listId: string,
  table: ArtifactRef,
  origin: { by: string; at: number },
): Fact {
  return {
    v: 1,
    memoKey: elementsKey(listId),
    flow: "",
    step: "",
    code: ELEMENTS_CODE,
    env: "",
    seed: "",
    inputs: { list: listId },
    outputs: { [ELEMENTS_OUTPUT]: table },
    by: origin.by,
    at: origin.at,
    wallMs: 0,
    cpuMs: 0,
    rssBytesMax: 0,
  };
}
