/**
 * Small fetches from the same peers, gathered: while a few are under way the next ones wait, and then go together, as one transfer into
 * one segment with one fsync. Nothing waits that would not have waited: their pieces come one after the other over the same lane.
 */
import type { PeerId } from "../../src/model/peer.ts";
import { GATHERED_AT_ONCE_MAX, SMALL_BYTES_MAX, TRANSFER_PIECES_MAX } from "./bulk-limits.ts";
import type { Want } from "./thread-messages.ts";
import type { ContentFetchOptions, PieceGroup, TransferOptions } from "./transfer-options.ts";

interface Member {
  readonly group: PieceGroup;
  readonly bytes: number;
  readonly options: ContentFetchOptions;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Row {
  running: number;
  waiting: Member[];
}

export class GatheredFetches {
  readonly #transfer: (group: PieceGroup, options: TransferOptions) => Promise<void>;
  /** By the peers that give; only while something is under way. */
  readonly #rows = new Map<string, Row>();

  constructor(transfer: (group: PieceGroup, options: TransferOptions) => Promise<void>) {
    this.#transfer = transfer;
  }

  fetch(group: PieceGroup, bytes: number, options: ContentFetchOptions): Promise<void> {
    const key = group.peers.join(" ");
    const row = this.#rows.get(key) ?? { running: 0, waiting: [] };
    this.#rows.set(key, row);
    return new Promise((resolve, reject) => {
      row.waiting.push({ group, bytes, options, resolve, reject });
      this.#fill(key, row);
    });
  }

  #fill(key: string, row: Row): void {
    while (row.running < GATHERED_AT_ONCE_MAX && row.waiting.length > 0) {
      const members = takeBatch(row);
      row.running++;
      void this.#run(members).finally(() => {
        row.running--;
        this.#fill(key, row);
        if (row.running === 0) this.#rows.delete(key);
      });
    }
  }

  async #run(members: readonly Member[]): Promise<void> {
    const wanted = members.filter(({ options, resolve }) => {
      if (options.signal.aborted) resolve();
      return !options.signal.aborted;
    });
    const [first] = wanted;
    if (first === undefined) return;
    const { signal, release } = whenAllAborted(wanted.map(({ options }) => options.signal));
    try {
      await this.#transfer(mergedGroup(wanted, first.group.peers), mergedOptions(wanted, signal));
      for (const { resolve } of wanted) resolve();
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    } finally {
      release();
    }
  }
}

/** The first that waits, and those behind it that still make a small transfer together. */
function takeBatch(row: Row): Member[] {
  let bytes = 0;
  let pieces = 0;
  let count = 0;
  for (const { bytes: more, group } of row.waiting) {
    bytes += more;
    pieces += group.wants.length;
    if (count > 0 && (bytes > SMALL_BYTES_MAX || pieces > TRANSFER_PIECES_MAX)) break;
    count++;
  }
  return row.waiting.splice(0, count);
}

/** Two of them may want the same piece: it is asked for once. */
function mergedGroup(members: readonly Member[], peers: readonly PeerId[]): PieceGroup {
  const wants = new Map<string, Want>();
  for (const { group } of members) for (const want of group.wants) wants.set(want.digest, want);
  return { wants: [...wants.values()], peers, known: members.flatMap(({ group }) => group.known) };
}

function mergedOptions(members: readonly Member[], signal: AbortSignal): TransferOptions {
  const wanting = new Map<string, Member[]>();
  for (const member of members) {
    for (const { digest } of member.group.wants) {
      wanting.set(digest, [...(wanting.get(digest) ?? []), member]);
    }
  }
  return {
    signal,
    // Whose bytes these are is known once the segment is there; it is small, so that is soon.
    onProgress: () => undefined,
    onStored: (digest, bytes) => {
      for (const { options } of wanting.get(digest) ?? []) options.onProgress(bytes);
    },
    onWrong: (peer) => members.forEach(({ options }) => options.onWrong(peer)),
    onLeft: (peer) => members.forEach(({ options }) => options.onLeft(peer)),
    moreSources: async () => [],
  };
}

/** One that gives up does not end what the others wait for. */
function whenAllAborted(signals: readonly AbortSignal[]): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const all = new AbortController();
  let left = signals.length;
  const one = (): void => {
    if (--left === 0) all.abort();
  };
  for (const signal of signals) signal.addEventListener("abort", one, { once: true });
  return {
    signal: all.signal,
    release: () => signals.forEach((signal) => signal.removeEventListener("abort", one)),
  };
}
