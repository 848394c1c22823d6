/** Brings what is missing here: callers that want the same content share a transfer, which goes on until it is here or nobody has it. */
import { setMaxListeners } from "node:events";
import { parseCid } from "../../src/artifact/cid.ts";
import { delay, type Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import type { BringOptions } from "../../src/wire/content-exchange.ts";
import { peerName, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import { BringRound, type BringRoundOptions } from "./bring-round.ts";
import { DISK_RESERVE_BYTES, IDLE_ROUNDS_MAX, ROUND_PAUSE_MS } from "./bulk-limits.ts";
import type { ContentFetch } from "./content-fetch.ts";
import type { HaveService } from "./have-service.ts";

export interface BringServiceDeps {
  readonly directory: PeerDirectory;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly have: HaveService;
  readonly fetch: ContentFetch;
}

export interface BringHereOptions extends BringOptions {
  /** Left free on the disk. Whoever shares the transfer and needs less of that decides. @default DISK_RESERVE_BYTES */
  readonly reserveBytes?: number;
}

/** Contents that one call was the first to ask for. */
interface Flight {
  readonly ids: readonly Cid[];
  readonly hints: PeerId[];
  readonly abort: AbortController;
  readonly listeners: Set<() => void>;
  readonly failures: Map<Cid, MfError>;
  /** Resolves when everything is here or has failed. */
  done: Promise<void>;
  waiters: number;
  reserveBytes: number;
  bytes: number;
  total: number;
}

export class BringService {
  readonly stats = { brought: 0, missing: 0 };
  readonly #deps: BringServiceDeps;
  readonly #flights = new Map<Cid, Flight>();
  readonly #stopped = new AbortController();

  constructor(deps: BringServiceDeps) {
    this.#deps = deps;
    setMaxListeners(0, this.#stopped.signal);
  }

  /** @throws MfError CONTENT_MISSING, STORE_FULL, CONTENT_ID_INVALID; INTERRUPTED where the signal aborts or this stops */
  async bring(ids: readonly Cid[], options: BringHereOptions = {}): Promise<void> {
    const unique = [...new Set(ids)];
    for (const id of unique) parseCid(id);
    const missing = await this.#missing(unique);
    if (missing.length === 0) return;
    const ending = missing
      .map((id) => this.#flights.get(id))
      .find((flight) => flight?.abort.signal.aborted);
    if (ending !== undefined && !this.#stopped.signal.aborted) {
      // Those who wanted it have gone: what they got so far is here in a moment, and a transfer of our own brings the rest.
      await ending.done;
      return this.bring(ids, options);
    }
    const fresh = missing.filter((id) => !this.#flights.has(id));
    if (fresh.length > 0) this.#start(fresh, options.hints ?? []);
    const flights = new Set<Flight>();
    for (const id of missing) {
      const flight = this.#flights.get(id);
      if (flight !== undefined) flights.add(flight);
    }
    await this.#wait([...flights], options);
    for (const id of missing) {
      for (const flight of flights) {
        const failure = flight.failures.get(id);
        if (failure !== undefined) throw failure;
      }
    }
  }

  /** Ends every transfer; who waits is told. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...new Set(this.#flights.values())].map((flight) => flight.done));
  }

  async #wait(flights: readonly Flight[], options: BringHereOptions): Promise<void> {
    const { signal, onProgress, hints = [], reserveBytes = DISK_RESERVE_BYTES } = options;
    const listener = (): void => {
      const bytes = flights.reduce((sum, flight) => sum + flight.bytes, 0);
      const total = flights.reduce((sum, flight) => sum + flight.total, 0);
      onProgress?.({ bytes, total: Math.max(total, bytes) });
    };
    for (const flight of flights) {
      flight.waiters++;
      flight.reserveBytes = Math.min(flight.reserveBytes, reserveBytes);
      flight.listeners.add(listener);
      for (const peer of hints) if (!flight.hints.includes(peer)) flight.hints.push(peer);
    }
    try {
      await aborted(Promise.all(flights.map(({ done }) => done)), signal);
    } finally {
      for (const flight of flights) {
        flight.listeners.delete(listener);
        // Nobody waits for it any more: what was verified stays, the rest is not fetched.
        if (--flight.waiters === 0) flight.abort.abort();
      }
    }
  }

  #start(ids: readonly Cid[], hints: readonly PeerId[]): void {
    const flight: Flight = {
      ids,
      hints: [...hints],
      abort: new AbortController(),
      listeners: new Set(),
      failures: new Map(),
      done: Promise.resolve(),
      waiters: 0,
      reserveBytes: Infinity,
      bytes: 0,
      total: 0,
    };
    for (const id of ids) this.#flights.set(id, flight);
    flight.done = this.#run(flight).finally(() => {
      for (const id of ids) this.#flights.delete(id);
    });
  }

  async #run(flight: Flight): Promise<void> {
    const asked = new Set<PeerId>();
    let pending = [...flight.ids];
    try {
      pending = await this.#rounds(flight, asked);
    } catch (error) {
      const failure = error instanceof MfError ? error : internal(error);
      if (failure.code === "INTERNAL") {
        this.#deps.logger.error("bulk.bring-failed", { reason: failure.message });
      }
      for (const id of pending) flight.failures.set(id, failure);
      return;
    }
    this.stats.brought += flight.ids.length - pending.length;
    this.stats.missing += pending.length;
    const isStopped = this.#stopped.signal.aborted || flight.abort.signal.aborted;
    const names = [...asked].map((peer) => peerName(this.#deps.directory.get(peer), peer));
    for (const id of pending) {
      const failure = isStopped
        ? new MfError("INTERRUPTED", {})
        : new MfError("CONTENT_MISSING", { id, asked: names });
      flight.failures.set(id, failure);
    }
  }

  /** Until everything is here, or nothing more comes. What is missing then. */
  async #rounds(flight: Flight, asked: Set<PeerId>): Promise<Cid[]> {
    const signal = AbortSignal.any([flight.abort.signal, this.#stopped.signal]);
    setMaxListeners(0, signal);
    const options: BringRoundOptions = {
      hints: flight.hints,
      signal,
      wrong: new Set(),
      left: new Set(),
      asked,
      reserveBytes: () => flight.reserveBytes,
      onProgress: (bytes) => this.#progressed(flight, bytes),
      onTotal: (bytes) => {
        flight.total = flight.bytes + bytes;
      },
    };
    let pending = await this.#missing(flight.ids);
    for (let idle = 0; pending.length > 0 && idle < IDLE_ROUNDS_MAX && !signal.aborted;) {
      const before = flight.bytes;
      await new BringRound(this.#deps, options).run(pending);
      pending = await this.#missing(pending);
      if (flight.bytes > before) idle = 0;
      else if (++idle < IDLE_ROUNDS_MAX && pending.length > 0)
        await delay(this.#deps.clock, ROUND_PAUSE_MS, signal);
    }
    return pending;
  }

  async #missing(ids: readonly Cid[]): Promise<Cid[]> {
    const isHere = await this.#deps.store.has(ids);
    return ids.filter((_id, i) => isHere[i] !== true);
  }

  #progressed(flight: Flight, bytes: number): void {
    flight.bytes += bytes;
    for (const listener of flight.listeners) listener();
  }
}

/** Rejects when `signal` aborts, without waiting for `work`. */
async function aborted(work: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return void (await work);
  let give: () => void = () => undefined;
  const abort = new Promise<never>((_resolve, reject) => {
    give = () => reject(new MfError("INTERRUPTED", {}));
    if (signal.aborted) give();
    else signal.addEventListener("abort", give, { once: true });
  });
  try {
    await Promise.race([work, abort]);
  } finally {
    signal.removeEventListener("abort", give);
  }
}

function internal(error: unknown): MfError {
  const message = error instanceof Error ? error.message : String(error);
  return new MfError("INTERNAL", { message }, { cause: error });
}
