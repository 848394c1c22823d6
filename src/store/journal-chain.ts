/** Journals carry their own hash chain: one flipped bit in LevelDB's log opens without an error and leaves a hole. */
import { digestOf } from "../artifact/cid.ts";
import { decodeValue, encodeValue } from "../artifact/codec.ts";
import type { JournalEntry } from "../model/journal.ts";

export const CHAIN_START: Uint8Array = new Uint8Array(32);

/** A row: the hash over the previous row's hash and the entry, then the entry. */
export function chainEntry(previous: Uint8Array, entry: JournalEntry): Uint8Array {
  const { data } = encodeValue(entry);
  return Buffer.concat([digestOf(Buffer.concat([previous, data])), data]);
}

export function chainHashOf(row: Uint8Array): Uint8Array {
  return row.subarray(0, 32);
}

/** Undefined where the row does not follow `previous`. */
export function readChained(previous: Uint8Array, row: Uint8Array): JournalEntry | undefined {
  const data = row.subarray(32);
  const expected = digestOf(Buffer.concat([previous, data]));
  return expected.equals(chainHashOf(row)) ? (decodeValue(data) as JournalEntry) : undefined;
}
