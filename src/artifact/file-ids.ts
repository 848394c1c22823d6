/** The stored files that a value refers to, wherever in it they stand: whoever keeps or sends the value needs them too. */
import type { Cid } from "../model/ids.ts";
import { parseCid } from "./cid.ts";
import { decodeValue } from "./codec.ts";
import { fileInfoOf } from "./file-brand.ts";

export interface FileIn {
  readonly id: Cid;
  readonly bytes: number;
}

/** @throws MfError CONTENT_MALFORMED */
export function filesIn(data: Uint8Array): FileIn[] {
  const files = new Map<Cid, FileIn>();
  const open: unknown[] = [decodeValue(data)];
  for (let value = open.pop(); value !== undefined || open.length > 0; value = open.pop()) {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) continue;
    const file = fileInfoOf(value);
    if (file !== undefined) {
      if (isCid(file.id)) files.set(file.id, { id: file.id, bytes: file.size });
    } else if (value instanceof Map) for (const pair of value) open.push(...pair);
    else if (value instanceof Set) for (const item of value) open.push(item);
    else if (!(value instanceof Date)) for (const item of Object.values(value)) open.push(item);
  }
  return [...files.values()];
}

function isCid(text: string): text is Cid {
  try {
    parseCid(text);
    return true;
  } catch {
    return false;
  }
}
