/**
 * Keeps the marks of all peers the same: what is written here is told to everybody who is there; what that did not reach comes by
 * comparing with one peer after the other, and with each peer when it is met.
 */
import type { MarkChange } from "../../src/client/control/daemon-side.ts";
import { plannedMarks } from "../../src/client/write-marks.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Mark } from "../../src/model/mark.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import {
  compareMarks,
  exchangeMarks,
  MARK_HASH_BYTES,
  tellMarks,
} from "../../src/wire/marks-protocol.ts";
import { othersAlive, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { RequestType, Transport } from "../../src/wire/transport.ts";
import { MarkBook, markMessages } from "./mark-book.ts";
import {
  ASK_MS_MAX,
  COMPARE_INTERVAL_MS,
  LOAD_SLICE,
  PAGES_PER_BUCKET_MAX,
  WRITES_WAITING_MAX,
} from "./marks-limits.ts";

export interface MarksDeps {
  readonly transport: Pick<Transport, "self" | "request" | "handle" | "subscribe">;
  readonly directory: PeerDirectory;
  readonly store: Pick<Store, "marks" | "commit">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** This peer's. */
  readonly name: string;
}

export interface Marks {
  /** Durable here when it resolves; then every alive peer is told. @throws what plannedMarks does */
  write(changes: readonly MarkChange[]): Promise<readonly Mark[]>;
  /** What another peer told, in whichever way: durable here when it resolves. How many were news. */
  take(from: PeerId, marks: readonly Mark[]): Promise<number>;
  /** Resolves when both have the same marks, as far as they could be reached. */
  compareWith(peer: PeerId): Promise<void>;
  /** Nothing more is begun. */
  stop(): void;
}

/** Answers others from now on. */
export async function openMarks(deps: MarksDeps): Promise<Marks> {
  const book = new MarkBook();
  const stored = await deps.store.marks();
  for (let at = 0; at < stored.length; at += LOAD_SLICE) {
    book.add(stored.slice(at, at + LOAD_SLICE));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return new MarksService(deps, book);
}

class MarksService implements Marks {
  readonly #deps: MarksDeps;
  readonly #book: MarkBook;
  readonly #stopped = new AbortController();
  readonly #unsubscribe: () => void;
  readonly #comparing = new Map<PeerId, Promise<void>>();
  /** Whom to compare with next, in an order drawn anew each time round. */
  #turns: PeerId[] = [];
  #cancelTimer: () => void = () => undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(deps: MarksDeps, book: MarkBook) {
    this.#deps = deps;
    this.#book = book;
    const { transport } = deps;
    transport.handle(tellMarks, async (from, { marks }) => ({
      taken: await this.take(from, marks),
    }));
    transport.handle(compareMarks, async (_from, { digest }) => ({
      buckets: book.differing(digest),
    }));
    transport.handle(exchangeMarks, async (_from, page) => {
      const { marks, ...answer } = book.answer(page);
      return { ...answer, marks: [...marks] };
    });
    this.#unsubscribe = transport.subscribe((event) => {
      // One of the two begins: what is compared reaches both.
      if (event.t === "connected" && transport.self < event.peer) void this.compareWith(event.peer);
    });
    this.#compareLater();
  }

  async write(changes: readonly MarkChange[]): Promise<readonly Mark[]> {
    const { clock, name, store } = this.#deps;
    const marks = await this.#inTurn(async () => {
      const planned = plannedMarks(this.#book.marks, changes, { now: clock.now(), peer: name });
      if (planned.length > 0) await store.commit({ marks: planned });
      this.#book.add(planned);
      return planned;
    });
    if (marks.length > 0)
      for (const { id } of othersAlive(this.#deps.directory)) void this.#tell(id, marks);
    return marks;
  }

  compareWith(peer: PeerId): Promise<void> {
    const running = this.#comparing.get(peer);
    if (running !== undefined) return running;
    const { logger } = this.#deps;
    const comparing = this.#compare(peer)
      .catch((error: unknown) => {
        // A peer that went away, or one of a version without marks: another turn comes.
        logger.debug("marks.not-compared", { peer, reason: String(error) });
      })
      .finally(() => this.#comparing.delete(peer));
    this.#comparing.set(peer, comparing);
    return comparing;
  }

  stop(): void {
    this.#unsubscribe();
    this.#cancelTimer();
    this.#stopped.abort();
  }

  #compareLater(): void {
    const { clock } = this.#deps;
    const compare = (): void => {
      const peer = this.#nextPeer();
      if (peer !== undefined) void this.compareWith(peer);
      this.#compareLater();
    };
    this.#cancelTimer = clock.after(COMPARE_INTERVAL_MS, compare, { unref: true });
  }

  #nextPeer(): PeerId | undefined {
    const { directory, random } = this.#deps;
    const alive = new Set(othersAlive(directory).map(({ id }) => id));
    this.#turns = this.#turns.filter((peer) => alive.has(peer));
    if (this.#turns.length === 0)
      this.#turns = [...alive]
        .map((peer) => ({ peer, draw: random.next() }))
        .sort((a, b) => a.draw - b.draw)
        .map(({ peer }) => peer);
    return this.#turns.shift();
  }

  async #compare(peer: PeerId): Promise<void> {
    const { buckets } = await this.#ask(peer, compareMarks, { digest: this.#book.digest() });
    for (const bucket of new Set(buckets)) await this.#exchange(peer, bucket);
  }

  /** Pages go up in the order of hashes, and so many are enough: whatever the other side answers, this ends. */
  async #exchange(peer: PeerId, bucket: number): Promise<void> {
    let after: Uint8Array | undefined;
    for (let pages = 0; pages < PAGES_PER_BUCKET_MAX; pages++) {
      const page = this.#book.page(bucket, after);
      const { marks, wants, through } = await this.#ask(peer, exchangeMarks, page);
      await this.take(peer, marks);
      await this.#tell(peer, this.#book.owed(bucket, { marks, wants }));
      const last =
        through ??
        (page.isLast ? undefined : page.has.slice(-2 * MARK_HASH_BYTES, -MARK_HASH_BYTES));
      if (last === undefined) return;
      if (after !== undefined && Buffer.compare(last, after) <= 0) return;
      after = last;
    }
  }

  async take(from: PeerId, marks: readonly Mark[]): Promise<number> {
    const { clock, store, logger } = this.#deps;
    if (marks.length === 0) return 0;
    return this.#inTurn(async () => {
      const { fresh, refused } = this.#book.sift(marks, clock.now());
      if (refused > 0) logger.warn("marks.refused", { peer: from, marks: refused });
      if (fresh.length === 0) return 0;
      await store.commit({ marks: fresh });
      this.#book.add(fresh);
      return fresh.length;
    });
  }

  /** Who does not hear it learns it by comparing. */
  async #tell(peer: PeerId, marks: readonly Mark[]): Promise<void> {
    try {
      for (const page of markMessages(marks)) await this.#ask(peer, tellMarks, { marks: page });
    } catch (error) {
      this.#deps.logger.debug("marks.not-told", { peer, reason: String(error) });
    }
  }

  #ask<Q, A>(peer: PeerId, type: RequestType<Q, A>, query: Q): Promise<A> {
    const { signal } = this.#stopped;
    return this.#deps.transport.request(peer, type, query, { timeoutMs: ASK_MS_MAX, signal });
  }

  /** One write after the other, so that each knows what the one before it wrote. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= WRITES_WAITING_MAX)
      throw new MfError("PEER_UNREACHABLE", {
        peer: this.#deps.name,
        reason: "it has too many marks to write",
      });
    this.#waiting++;
    const before = this.#writing;
    const turn = (async () => {
      await before;
      return work();
    })();
    // The next one goes on whatever becomes of this one.
    this.#writing = turn.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }
}
