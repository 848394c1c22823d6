/**
 * Brings two tables together: from another's digest, what to send it and what to ask of it. Sends records within a budget of
 * bytes; verdicts about state always, since they are small and others act on them.
 */
import {
  WANT_ABOUT,
  WANT_ALL,
  WANT_LOAD,
  WANT_STATE,
  type TalkItem,
  type Want,
} from "../../src/wire/membership-protocol.ts";
import {
  WHOLE,
  encodeDigest,
  isInWindow,
  type Digest,
  type DigestEntry,
  type DigestWindow,
} from "./digest.ts";
import {
  DIGEST_PEERS_MAX,
  FULL_DIGEST_TICKS,
  ITEM_BYTES_PER_MESSAGE_MAX,
  LOAD_BYTES_BURST,
  LOAD_BYTES_PER_S_MAX,
  PEERS_MAX,
} from "./membership-limits.ts";
import {
  aboutVersion,
  ALL_PARTS,
  itemBytes,
  itemOf,
  loadVersion,
  rankOf,
  STATE_PART,
  type ItemParts,
  type PeerRecord,
} from "./peer-record.ts";
import type { PeerTable } from "./peer-table.ts";
import type { SeededDraw } from "./seeded-draw.ts";

interface Asked {
  readonly record: PeerRecord;
  readonly parts: ItemParts;
  /** Whether the other side has heard of the peer. */
  readonly isKnown: boolean;
}

export class AntiEntropy {
  readonly #table: PeerTable;
  readonly #draw: SeededDraw;
  #tokens = LOAD_BYTES_BURST;
  #filledAt: number | undefined;
  #part = 0;

  constructor(table: PeerTable, draw: SeededDraw) {
    this.#table = table;
    this.#draw = draw;
  }

  wholeDigest(): Uint8Array {
    return encodeDigest(this.#table.all(), WHOLE);
  }

  /** The whole one while it is short, else the next part; and the whole one now and then. */
  digest(tick: number): Uint8Array {
    return encodeDigest(this.#table.all(), this.#window(tick));
  }

  #window(tick: number): DigestWindow {
    const members = this.#table.memberCount;
    if (members <= DIGEST_PEERS_MAX || tick % FULL_DIGEST_TICKS === 0) return WHOLE;
    const bits = Math.ceil(Math.log2(members / DIGEST_PEERS_MAX));
    this.#part = (this.#part + 1) % (1 << bits);
    return { bits, part: this.#part };
  }

  /** What the sender of a digest lacks, and what it has newer. */
  answer(digest: Digest, to: PeerRecord, now: number): { items: TalkItem[]; wants: Want[] } {
    const theirs = digest.entries;
    const wants: Want[] = [];
    const hasRoom = this.#table.memberCount < PEERS_MAX;
    for (const entry of theirs.values()) {
      const want = this.#wanted(entry, hasRoom);
      if (want !== 0) wants.push([entry.key, want]);
    }
    const lacking: Asked[] = [];
    for (const record of this.#table.all()) {
      if (!record.isMember || record.boot === 0 || !isInWindow(record.key, digest.window)) continue;
      const parts = lackingParts(record, theirs.get(record.key), to);
      const isKnown = theirs.has(record.key);
      if (parts !== undefined) lacking.push({ record, parts, isKnown });
    }
    return { items: this.#within(lacking, now), wants };
  }

  /** What somebody asked for. */
  wanted(wants: readonly Want[], now: number): TalkItem[] {
    const asked = wants.flatMap(([key, what]) => {
      const record = this.#table.byKey(key);
      if (record === undefined || !record.isMember || record.boot === 0) return [];
      return [{ record, parts: partsOf(what), isKnown: what !== WANT_ALL }];
    });
    return this.#within(asked, now);
  }

  /** What we lack of it, as WANT bits; whom we never heard of is not interesting once he left. */
  #wanted(entry: DigestEntry, hasRoom: boolean): number {
    const record = this.#table.byKey(entry.key);
    if (record === this.#table.self) return 0;
    if (record === undefined) {
      const isWelcome = hasRoom && entry.rank !== rankOf("left");
      return isWelcome && !this.#table.isBanned(entry.key) ? WANT_ALL : 0;
    }
    if (entry.boot < record.boot) return 0;
    if (entry.boot > record.boot) return WANT_ALL;
    return (
      (compareToRecord(entry, record) > 0 ? WANT_STATE : 0) |
      (entry.about > aboutVersion(record) ? WANT_ABOUT : 0) |
      (entry.load > loadVersion(record) ? WANT_LOAD : 0)
    );
  }

  /** Starts anywhere, so that what did not fit this time is not always the same. */
  #within(asked: readonly Asked[], now: number): TalkItem[] {
    this.#fill(now);
    const start = this.#draw.below(Math.max(1, asked.length));
    const items: TalkItem[] = [];
    let room = ITEM_BYTES_PER_MESSAGE_MAX;
    for (let i = 0; i < asked.length && room > 0; i++) {
      const next = asked[(start + i) % asked.length];
      if (next === undefined) break;
      let item = itemOf(next.record, next.parts);
      let bytes = itemBytes(item);
      if (bytes > Math.min(room, this.#tokens)) {
        // Who does not know the peer can do nothing with a bare verdict.
        if (!next.parts.state || !next.isKnown) continue;
        item = itemOf(next.record, STATE_PART);
        bytes = itemBytes(item);
      }
      room -= bytes;
      this.#tokens -= bytes;
      items.push(item);
    }
    return items;
  }

  #fill(now: number): void {
    const passed = now - (this.#filledAt ?? now);
    this.#filledAt = now;
    this.#tokens = Math.min(
      LOAD_BYTES_BURST,
      Math.max(0, this.#tokens) + (passed / 1000) * LOAD_BYTES_PER_S_MAX,
    );
  }
}

function partsOf(what: number): ItemParts {
  return {
    state: (what & WANT_STATE) !== 0,
    about: (what & WANT_ABOUT) !== 0,
    load: (what & WANT_LOAD) !== 0,
  };
}

function lackingParts(
  record: PeerRecord,
  entry: DigestEntry | undefined,
  to: PeerRecord,
): ItemParts | undefined {
  if (entry === undefined)
    return record.state === "left" || record.id === to.id ? undefined : ALL_PARTS;
  if (entry.boot > record.boot) return undefined;
  if (entry.boot < record.boot) return ALL_PARTS;
  const parts = {
    state: compareToRecord(entry, record) < 0,
    about: entry.about < aboutVersion(record),
    load: entry.load < loadVersion(record),
  };
  return parts.state || parts.about || parts.load ? parts : undefined;
}

/** Of one boot: who refuted more often, then the graver state. */
function compareToRecord(entry: DigestEntry, record: PeerRecord): number {
  return entry.counter - record.counter || entry.rank - rankOf(record.state);
}
