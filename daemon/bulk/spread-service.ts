/** Has other peers keep copies, in the background, and keeps copies for others. */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { PLEASE_HOLD } from "../../src/wire/bulk-protocol.ts";
import { othersAlive, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import type { BringService } from "./bring-service.ts";
import {
  HOLD_AT_ONCE_MAX,
  HOLD_QUEUE_MAX,
  HOLD_WAITING_PER_PEER_MAX,
  SPREAD_FREE_BYTES_MIN,
  SPREAD_RETRY_MS,
  SPREAD_TIMEOUT_MS,
} from "./bulk-limits.ts";
import type { HaveService } from "./have-service.ts";
import { PeerTurns } from "./peer-turns.ts";
import { SpreadMachine, type SpreadEvent } from "./spread-machine.ts";

export interface SpreadServiceDeps {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly have: HaveService;
  readonly bring: BringService;
}

export class SpreadService {
  readonly stats = { copied: 0, held: 0 };
  readonly #deps: SpreadServiceDeps;
  readonly #machine = new SpreadMachine();
  readonly #stopped = new AbortController();
  readonly #holdTurns = new PeerTurns({ atOnceMax: 1, waitingMax: HOLD_WAITING_PER_PEER_MAX });
  readonly #holding: (() => void)[] = [];
  #holds = 0;
  #cancelTick: (() => void) | undefined;
  #unsubscribe: () => void = () => undefined;

  constructor(deps: SpreadServiceDeps) {
    this.#deps = deps;
  }

  get pending(): number {
    return this.#machine.pending;
  }

  start(): void {
    this.#deps.transport.handle(PLEASE_HOLD, async (from, { ids }) => {
      const answer = await this.#holdTurns.run(from, () => this.#hold(from, ids as Cid[]));
      return answer ?? { held: ids.map(() => false) };
    });
    this.#unsubscribe = this.#deps.directory.subscribe(() => {
      if (this.#machine.pending > 0) this.#step({ t: "peers", peers: this.#candidates() });
    });
  }

  stop(): void {
    this.#unsubscribe();
    this.#cancelTick?.();
    this.#stopped.abort();
    for (const next of this.#holding.splice(0)) next();
  }

  spread(ids: readonly Cid[], copies: number): void {
    if (ids.length === 0 || copies < 2) return;
    void this.#spread([...new Set(ids)], copies).catch((error: unknown) => {
      this.#deps.logger.warn("bulk.spread-failed", { reason: String(error) });
    });
  }

  async #spread(ids: readonly Cid[], copies: number): Promise<void> {
    const holders = await this.#deps.have.holders(ids);
    const contents = ids.map((id) => ({ id, holders: holders.get(id) ?? [] }));
    this.#step({ t: "peers", peers: this.#candidates() });
    this.#step({ t: "spread", contents, copies });
  }

  #candidates(): PeerId[] {
    return othersAlive(this.#deps.directory)
      .filter(mayHold)
      .map(({ id }) => id);
  }

  #step(event: SpreadEvent): void {
    if (this.#stopped.signal.aborted) return;
    for (const { peer, ids } of this.#machine.step(event, this.#deps.clock.monotonic())) {
      void this.#ask(peer, ids);
    }
    if (this.#machine.pending > 0) this.#wake();
  }

  #wake(): void {
    this.#cancelTick ??= this.#deps.clock.after(
      SPREAD_RETRY_MS,
      () => {
        this.#cancelTick = undefined;
        if (this.#machine.pending > 0) this.#step({ t: "peers", peers: this.#candidates() });
      },
      { unref: true },
    );
  }

  async #ask(peer: PeerId, ids: readonly Cid[]): Promise<void> {
    let held: readonly boolean[] = [];
    try {
      const answer = await this.#deps.transport.request(
        peer,
        PLEASE_HOLD,
        { ids: [...ids] },
        { timeoutMs: SPREAD_TIMEOUT_MS, signal: this.#stopped.signal },
      );
      held = answer.held;
      this.stats.copied += held.filter(Boolean).length;
      this.#deps.have.learnt(
        peer,
        ids.filter((_id, i) => held[i] === true),
      );
    } catch (error) {
      this.#deps.logger.debug("bulk.hold-refused", { peer, reason: String(error) });
    }
    this.#step({ t: "answered", peer, ids, held });
  }

  async #hold(from: PeerId, ids: readonly Cid[]): Promise<{ held: boolean[] }> {
    if (this.#holds >= HOLD_AT_ONCE_MAX && this.#holding.length >= HOLD_QUEUE_MAX) {
      return { held: ids.map(() => false) };
    }
    await this.#takeTurn();
    try {
      const { freeBytes } = await this.#deps.store.stats();
      if (freeBytes >= SPREAD_FREE_BYTES_MIN) await this.#bring(from, ids);
      const held = await this.#deps.store.has(ids);
      this.stats.held += held.filter(Boolean).length;
      return { held };
    } finally {
      const next = this.#holding.shift();
      if (next === undefined) this.#holds--;
      else next();
    }
  }

  /** Some of it may fail: what is here afterwards counts. Whoever asked waits no longer than this goes on. */
  async #bring(from: PeerId, ids: readonly Cid[]): Promise<void> {
    const { bring, clock, logger } = this.#deps;
    const late = new AbortController();
    const cancel = clock.after(SPREAD_TIMEOUT_MS, () => late.abort(), { unref: true });
    try {
      const signal = AbortSignal.any([this.#stopped.signal, late.signal]);
      const reserveBytes = SPREAD_FREE_BYTES_MIN;
      await bring.bring(ids, { hints: [from], signal, reserveBytes });
    } catch (error) {
      logger.info("bulk.hold-failed", { from, reason: String(error) });
    } finally {
      cancel();
    }
  }

  async #takeTurn(): Promise<void> {
    if (this.#holds < HOLD_AT_ONCE_MAX) this.#holds++;
    else await new Promise<void>((resolve) => this.#holding.push(resolve));
  }
}

/** A peer that has not said what it is yet is not asked. */
function mayHold({ profile, load }: PeerView): boolean {
  if (profile?.roles.includes("store") !== true) return false;
  if (load === undefined) return true;
  return load.store === "rw" && load.diskFreeBytes >= SPREAD_FREE_BYTES_MIN;
}
