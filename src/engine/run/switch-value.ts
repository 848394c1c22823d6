/** The value a switch decides on, as the text that names a case. */
import { decodeValue, kindOf } from "../../artifact/codec.ts";
import { MfError } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import type { Store } from "../../store/ports.ts";
import type { ContentCache } from "./content-cache.ts";
import { SWITCH_VALUE_BYTES_MAX } from "./run-limits.ts";

export interface SwitchValueDeps {
  readonly store: Pick<Store, "read">;
  readonly contents: ContentCache;
}

/** @throws MfError SWITCH_UNMATCHED where the value is no string, number, boolean, bigint, null or undefined */
export async function readSwitchValue(
  deps: SwitchValueDeps,
  name: string,
  source: InputSource,
): Promise<string> {
  const value = await valueOf(deps, name, source);
  if (
    value === null ||
    (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol")
  )
    return String(value);
  throw unmatched(name, kindOf(value));
}

async function valueOf(
  { store, contents }: SwitchValueDeps,
  name: string,
  source: InputSource,
): Promise<unknown> {
  if (source.k === "bytes") return decodeValue(source.data);
  if (source.k !== "artifact")
    throw unmatched(name, source.k === "list" ? "a list" : "a whole handle");
  const location = contents.known(source.id) ?? (await contents.locate([source.id])).get(source.id);
  if (location === undefined) throw new MfError("CONTENT_MISSING", { id: source.id });
  if (!("inline" in location) && location.bytes > SWITCH_VALUE_BYTES_MAX)
    throw unmatched(name, `content of ${location.bytes} bytes`);
  let value = decodeValue("inline" in location ? location.inline : await store.read(source.id));
  for (const key of source.path ?? []) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

function unmatched(name: string, value: string): MfError {
  return new MfError("SWITCH_UNMATCHED", {
    switch: name,
    value,
    cases: "strings, numbers and booleans",
  });
}
