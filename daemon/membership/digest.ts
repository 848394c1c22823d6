/**
 * What one knows of everybody, in about 14 bytes a peer: key, incarnation, rank of the state, versions. Layout: bits, part, then
 * entries of (length, key in ASCII, then boot, counter, rank, about, load as LEB128). `part` of 2^bits: which keys it speaks of.
 */
import { COUNT_MAX, STATES_BY_RANK, type PeerKey } from "../../src/wire/membership-protocol.ts";
import { aboutVersion, loadVersion, rankOf, type PeerRecord } from "./peer-record.ts";

export interface DigestEntry {
  readonly key: PeerKey;
  readonly boot: number;
  readonly counter: number;
  readonly rank: number;
  readonly about: number;
  readonly load: number;
}

export interface Digest {
  readonly window: DigestWindow;
  readonly entries: ReadonlyMap<PeerKey, DigestEntry>;
}

export interface DigestWindow {
  readonly bits: number;
  readonly part: number;
}

export const WHOLE: DigestWindow = { bits: 0, part: 0 };
const BITS_MAX = 8;
const KEY_CHARS_MAX = 8;

/** Whether a peer belongs to the part that a digest speaks of: its absence there then says something. */
export function isInWindow(key: PeerKey, { bits, part }: DigestWindow): boolean {
  if (bits === 0) return true;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 15)) & ((1 << bits) - 1)) === part;
}

/** Peers of boot 0 are left out: they have said nothing that could be compared. */
export function encodeDigest(records: Iterable<PeerRecord>, window: DigestWindow): Uint8Array {
  const out: number[] = [window.bits, window.part];
  for (const record of records) {
    if (!record.isMember || record.boot === 0 || !isInWindow(record.key, window)) continue;
    out.push(record.key.length);
    for (let i = 0; i < record.key.length; i++) out.push(record.key.charCodeAt(i) & 0x7f);
    pushNumber(out, record.boot);
    pushNumber(out, record.counter);
    pushNumber(out, rankOf(record.state));
    pushNumber(out, aboutVersion(record));
    pushNumber(out, loadVersion(record));
  }
  return Uint8Array.from(out);
}

/** Undefined where the bytes are no digest. */
export function decodeDigest(data: Uint8Array): Digest | undefined {
  const reader = new DigestReader(data);
  const window = { bits: reader.byte(), part: reader.byte() };
  if (window.bits > BITS_MAX || window.part >= 1 << window.bits) return undefined;
  const entries = new Map<PeerKey, DigestEntry>();
  while (!reader.isAtEnd && !reader.isBroken) {
    const entry = {
      key: reader.key(),
      boot: reader.number(),
      counter: reader.number(),
      rank: reader.number(),
      about: reader.number(),
      load: reader.number(),
    };
    if (entry.rank >= STATES_BY_RANK.length) return undefined;
    entries.set(entry.key, entry);
  }
  return reader.isBroken ? undefined : { window, entries };
}

function pushNumber(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
}

class DigestReader {
  isBroken = false;
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#data.length;
  }

  byte(): number {
    const byte = this.#data[this.#at++];
    if (byte === undefined) this.isBroken = true;
    return byte ?? 0;
  }

  key(): PeerKey {
    const length = this.byte();
    if (length === 0 || length > KEY_CHARS_MAX) this.isBroken = true;
    let key = "";
    for (let i = 0; i < length && !this.isBroken; i++)
      key += String.fromCharCode(this.byte() & 0x7f);
    return key;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 35; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > COUNT_MAX) this.isBroken = true;
        return value;
      }
    }
    this.isBroken = true;
    return 0;
  }
}
