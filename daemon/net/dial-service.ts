/** Keeps peers connected: performs what dial-machine.ts decides, one dial a peer at a time, with all addresses that are known. */
import type { Connection } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { DialFailure } from "../../src/wire/transport.ts";
import { dialFailure } from "./dial-failure.ts";
import {
  firstDial,
  stepDial,
  type DialEvent,
  type DialState,
  type DialStep,
} from "./dial-machine.ts";
import { ADDRESSES_KEPT_MAX, DIAL_MS, KEPT_MAX } from "./net-limits.ts";
import { dialAddresses, mergeAddresses, ownHosts, worthDialling } from "./peer-address.ts";

export interface DialServiceDeps {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  open(addresses: Multiaddr[], signal: AbortSignal): Promise<Connection>;
  /** Takes the connection over and says later, by connected() or failed(), what became of it. */
  opened(peer: PeerId, connection: Connection): void;
  failed(peer: PeerId, why: DialFailure): void;
}

interface Kept {
  state: DialState;
  addresses: readonly string[];
  cancelPause: (() => void) | undefined;
  dial: AbortController | undefined;
}

export class DialService {
  readonly #deps: DialServiceDeps;
  readonly #kept = new Map<PeerId, Kept>();
  readonly #dials = new Set<Promise<void>>();
  #isRunning = false;

  constructor(deps: DialServiceDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#isRunning = true;
    for (const peer of this.#kept.keys()) this.#apply(peer, this.#firstDial(peer));
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    for (const peer of this.#kept.keys()) this.release(peer);
    await Promise.all(this.#dials);
  }

  keep(peer: PeerId, addresses: readonly string[], isConnected: boolean): void {
    const kept = this.#kept.get(peer);
    if (kept !== undefined) return this.#addAddresses(peer, kept, addresses);
    if (this.#kept.size >= KEPT_MAX) {
      this.#deps.logger.warn("peer-not-kept", { peer, keptCount: this.#kept.size });
      return;
    }
    const begin = this.#firstDial(peer);
    const state: DialState = isConnected ? { k: "connected" } : begin.state;
    const first = mergeAddresses(addresses, [], ADDRESSES_KEPT_MAX);
    this.#kept.set(peer, { state, addresses: first, cancelPause: undefined, dial: undefined });
    if (this.#isRunning && !isConnected) this.#apply(peer, begin);
  }

  release(peer: PeerId): void {
    const kept = this.#kept.get(peer);
    this.#kept.delete(peer);
    kept?.cancelPause?.();
    kept?.dial?.abort();
  }

  connected(peer: PeerId): void {
    this.#kept.get(peer)?.dial?.abort();
    this.#on(peer, { t: "connected" });
  }

  disconnected(peer: PeerId): void {
    this.#on(peer, { t: "disconnected" });
  }

  /** What opened() took over came to nothing. `why` undefined: no fault of the peer, nothing to tell. */
  greetingFailed(peer: PeerId, why: DialFailure | undefined): void {
    const kept = this.#kept.get(peer);
    if (kept?.state.k !== "dialling") return;
    this.#on(peer, { t: "failed", chance: this.#deps.random.next() });
    if (why !== undefined) this.#deps.failed(peer, why);
  }

  #firstDial(peer: PeerId): DialStep {
    return firstDial(this.#deps.self > peer);
  }

  #addAddresses(peer: PeerId, kept: Kept, addresses: readonly string[]): void {
    const fresh = addresses.filter((address) => !kept.addresses.includes(address));
    if (fresh.length === 0) return;
    kept.addresses = mergeAddresses(fresh, kept.addresses, ADDRESSES_KEPT_MAX);
    this.#on(peer, { t: "address-added" });
  }

  #on(peer: PeerId, event: DialEvent): void {
    const kept = this.#kept.get(peer);
    if (kept === undefined || !this.#isRunning) return;
    this.#apply(peer, stepDial(kept.state, event));
  }

  #apply(peer: PeerId, step: DialStep): void {
    const kept = this.#kept.get(peer);
    if (kept === undefined) return;
    kept.state = step.state;
    for (const effect of step.effects) {
      if (effect.t === "dial") this.#startDial(peer, kept);
      else if (effect.t === "cancel-pause") kept.cancelPause?.();
      else {
        const over = (): void => this.#on(peer, { t: "pause-over" });
        kept.cancelPause = this.#deps.clock.after(effect.ms, over, { unref: true });
      }
    }
  }

  #startDial(peer: PeerId, kept: Kept): void {
    const dial = this.#dial(peer, kept).finally(() => this.#dials.delete(dial));
    this.#dials.add(dial);
  }

  /** Never rejects. */
  async #dial(peer: PeerId, kept: Kept): Promise<void> {
    const abort = new AbortController();
    kept.dial = abort;
    const cancelDeadline = this.#deps.clock.after(DIAL_MS, () => abort.abort(), { unref: true });
    // Nothing is opened inside keep() itself: its caller has not finished its turn.
    await Promise.resolve();
    let why: DialFailure;
    try {
      const addresses = worthDialling(dialAddresses(peer, kept.addresses), ownHosts());
      if (addresses.length > 0) {
        const connection = await this.#deps.open(addresses, abort.signal);
        this.#deps.opened(peer, connection);
        return;
      }
      why = "unreachable";
    } catch (error) {
      why = dialFailure(error);
      this.#deps.logger.debug("dial-failed", { peer, why, error: String(error) });
    } finally {
      cancelDeadline();
      if (kept.dial === abort) kept.dial = undefined;
    }
    if (this.#kept.get(peer) === kept) this.greetingFailed(peer, why);
  }
}
