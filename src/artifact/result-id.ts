/** The id of what a task came to. Journals name facts by memo key and result, so it may never change: golden vectors hold it still. */
import { hash } from "node:crypto";
import type { Fact } from "../model/fact.ts";
import type { ResultId } from "../model/ids.ts";

const HEX_CHARS = 32;

/** The first 32 hex digits of sha-256 over the outputs' names and ids, by name. */
export function resultIdOf({ outputs }: Pick<Fact, "outputs">): ResultId {
  const pairs = Object.keys(outputs)
    .sort()
    .map((name) => [name, outputs[name]?.id]);
  return hash("sha256", JSON.stringify(["mf-result-1", pairs]), "hex").slice(
    0,
    HEX_CHARS,
  ) as ResultId;
}
