/**
 * Files that values name. Values are searched as bytes for the mark of a file reference, not decoded: a piece at a time and without
 * an object made, as a daemon must. What only looks like a reference is taken for one, so something may stay that need not.
 */
import { parseCid } from "../../artifact/cid.ts";
import { EXT } from "../../artifact/extension.ts";
import { isMfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { Store } from "../../store/ports.ts";

/** The extension's type, an array of three, a text of less than 256 bytes: how every reference begins (src/artifact/encode.ts). */
const REFERENCE = Buffer.from([EXT.file, 0x93, 0xd9]);
/** Ids of content are shorter. */
const ID_BYTES_MAX = 120;
/** The next piece may complete what the last one begins. */
const OVERLAP_BYTES = REFERENCE.length + 1 + ID_BYTES_MAX;

/** Kinds (see kindOf) of values in which there can be no file. */
const PLAIN_KIND =
  /^(null|undefined|boolean|number|bigint|date)$|^(string|bytes|ArrayBuffer|DataView|(Big)?(Int|Uint|Float)\w*Array)\[/;

export function mayHoldFiles(kind: string): boolean {
  return !PLAIN_KIND.test(kind);
}

/** Undefined where the value is not here. */
export async function filesIn(
  store: Pick<Store, "stream">,
  id: Cid,
): Promise<readonly Cid[] | undefined> {
  const found = new Set<Cid>();
  let tail = Buffer.alloc(0);
  try {
    for await (const piece of store.stream(id)) {
      const data = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
      findReferences(Buffer.concat([tail, data.subarray(0, OVERLAP_BYTES)]), found);
      findReferences(data, found);
      tail = Buffer.concat([tail, data]).subarray(-OVERLAP_BYTES);
    }
  } catch (error) {
    if (isMfError(error, "CONTENT_MISSING") || isMfError(error, "CONTENT_MISMATCH"))
      return undefined;
    throw error;
  }
  return [...found];
}

function findReferences(data: Buffer, into: Set<Cid>): void {
  for (let at = data.indexOf(REFERENCE); at >= 0; at = data.indexOf(REFERENCE, at + 1)) {
    const start = at + REFERENCE.length + 1;
    const bytes = data[start - 1] ?? 0;
    if (bytes > ID_BYTES_MAX || start + bytes > data.length) continue;
    const id = data.toString("latin1", start, start + bytes);
    if (isContentId(id)) into.add(id);
  }
}

export function isContentId(text: string): text is Cid {
  if (!/^b[a-z2-7]{20,118}$/.test(text)) return false;
  try {
    parseCid(text);
    return true;
  } catch {
    return false;
  }
}
