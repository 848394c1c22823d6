/** Parameters as the engine takes them: encoded structured values; a file is stored first and becomes a reference to its content. */
import { basename } from "node:path";
import { cidOf } from "../src/artifact/cid.ts";
import { encodeValue } from "../src/artifact/codec.ts";
import type { ParamValue } from "../src/engine/run-api.ts";
import { MfError } from "../src/model/errors.ts";
import type { Store } from "../src/store/ports.ts";

export interface LoadedParam {
  readonly value: unknown;
  readonly kind: string;
  readonly text: string;
}

const FILE_BRAND = Symbol.for("meshflow.file");

export async function encodeParams(
  store: Pick<Store, "putFile">,
  params: Readonly<Record<string, LoadedParam>>,
  flow: string,
): Promise<Record<string, ParamValue>> {
  const encoded: [string, ParamValue][] = [];
  for (const [param, loaded] of Object.entries(params)) {
    const value =
      loaded.kind === "file" ? await storeFile(store, { flow, param }, loaded) : loaded.value;
    const { data } = encodeValue(value, { step: "params", name: param });
    encoded.push([param, { id: cidOf("messagepack", data), data, text: loaded.text }]);
  }
  return Object.fromEntries(encoded);
}

async function storeFile(
  store: Pick<Store, "putFile">,
  place: { flow: string; param: string },
  loaded: LoadedParam,
): Promise<unknown> {
  if (typeof loaded.value !== "string") return loaded.value;
  try {
    const { id, bytes } = await store.putFile(loaded.value);
    return { [FILE_BRAND]: true, id, name: basename(loaded.value), size: bytes };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOENT" && code !== "EISDIR" && code !== "EACCES") throw error;
    const reason =
      code === "ENOENT" ? "there is no such file" : `the file cannot be read (${code})`;
    throw new MfError("PARAM_INVALID", { ...place, reason, value: loaded.value });
  }
}
