/**
 * Runs the membership machine: the transport's messages and events and one timer go in, what it wants done is done. Watches three
 * clocks, since a machine that slept must not act on what it believed before.
 */
import { systemBootMs, type Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { LoadRecord, PeerId, PeerProfile, PeerView } from "../../src/model/peer.ts";
import { TALK, type LeaveReason } from "../../src/wire/membership-protocol.ts";
import type { PeerDirectory, PeerEvent } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { PROOF_BYTES } from "./leave-proof.ts";
import type { KnownPeer, MembershipEffect, MembershipEvent } from "./membership-events.ts";
import { ADDRESS_TICKS, REMEMBER_DELAY_MS, SLEPT_MS, TICK_MS } from "./membership-limits.ts";
import { MembershipMachine } from "./membership-machine.ts";

export interface MembershipOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly profile: PeerProfile;
  /** Raised and made durable before each start. */
  readonly bootCounter: number;
  readonly localLoad: () => LoadRecord;
  /** Of the ticket, of the configuration, and remembered ones. */
  readonly seeds: readonly KnownPeer[];
  /** Serial of this peer's certificate, for people. */
  readonly certificate?: string;
  /** Keeps the known peers for the next start. */
  readonly remember?: (peers: readonly KnownPeer[]) => void;
  /** This machine slept: whoever holds a lease must drop it. Called before anything else is done. */
  readonly onSlept?: (ms: number) => void;
  /** Ms since the machine started, sleep included; the system's own where it is not given. */
  readonly bootMs?: () => number;
}

export interface Membership extends PeerDirectory {
  start(): void;
  /** Says nothing: who stops without `leave` is a crash to others. */
  stop(): void;
  /** Tells everybody; `leave` and `restart` are the last words, call `stop` after. */
  leave(why: LeaveReason): void;
  /** Closes its connection and hears of it no more. */
  forgetRevoked(peer: PeerId): void;
}

export function createMembership(options: MembershipOptions): Membership {
  return new MembershipService(options);
}

class MembershipService implements Membership {
  readonly self: PeerId;
  readonly #options: MembershipOptions;
  readonly #machine: MembershipMachine;
  readonly #bootMs: () => number;
  readonly #listeners = new Set<(event: PeerEvent) => void>();
  #unsubscribe: () => void = () => undefined;
  #cancelTimer: () => void = () => undefined;
  #cancelRemember: (() => void) | undefined;
  #isRunning = false;
  #timerAt = Infinity;
  /** Monotonic ms at which the next tick is due, and the clocks at the last one. */
  #nextTick = 0;
  #monotonic = 0;
  #boot = 0;
  #tickCount = 0;
  #addresses: readonly string[] = [];
  #views: readonly PeerView[] | undefined;

  constructor(options: MembershipOptions) {
    const { transport, random } = options;
    this.#options = options;
    this.self = transport.self;
    this.#bootMs = options.bootMs ?? systemBootMs;
    this.#machine = new MembershipMachine({
      self: transport.self,
      profile: options.profile,
      bootCounter: options.bootCounter,
      addresses: transport.addresses(),
      seeds: options.seeds,
      leaveProof: random.bytes(PROOF_BYTES),
      seed: Math.floor(random.next() * 2 ** 32),
      ...(options.certificate !== undefined && { certificate: options.certificate }),
    });
    transport.listen(TALK, (from, talk) => this.#accept({ t: "heard", from, talk }));
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { transport, clock } = this.#options;
    this.#unsubscribe = transport.subscribe((event) => this.#accept({ t: "transport", event }));
    this.#monotonic = clock.monotonic();
    this.#boot = this.#bootMs();
    this.#nextTick = this.#monotonic;
    this.#accept({ t: "started" });
    for (const peer of transport.connected())
      this.#accept({ t: "transport", event: { t: "connected", peer, addresses: [] } });
    this.#tick();
  }

  stop(): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#unsubscribe();
    this.#cancelTimer();
    if (this.#cancelRemember !== undefined) this.#rememberNow();
  }

  leave(why: LeaveReason): void {
    this.#accept({ t: "leaving", why });
  }

  forgetRevoked(peer: PeerId): void {
    this.#accept({ t: "revoked", peer });
  }

  peers(): readonly PeerView[] {
    this.#views ??= this.#machine.peers();
    return this.#views;
  }

  get(peer: PeerId): PeerView | undefined {
    return this.#machine.get(peer);
  }

  subscribe(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #accept(event: MembershipEvent): void {
    if (!this.#isRunning) return;
    const effects = this.#machine.accept(event, this.#options.clock.monotonic());
    this.#views = undefined;
    for (const effect of effects) this.#perform(effect);
    this.#setTimer();
  }

  #perform(effect: MembershipEffect): void {
    const { transport, logger } = this.#options;
    switch (effect.t) {
      case "send":
        return transport.send(effect.to, TALK, effect.talk);
      case "keep":
        return transport.keep(effect.peer, effect.addresses);
      case "drop":
        return transport.forget(effect.peer);
      case "tell":
        return this.#tell(effect.event);
      case "remember":
        return this.#rememberSoon();
      case "log":
        return logger.info(effect.event, effect.fields);
    }
  }

  /** One listener's fault is not another's, nor the mesh's. */
  #tell(event: PeerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.logger.error("membership.listener-failed", { error: String(error) });
      }
    }
  }

  #tick(): void {
    const { clock, localLoad, transport } = this.#options;
    if (this.#tickCount++ % ADDRESS_TICKS === 0) this.#addresses = transport.addresses();
    const lateMs = clock.monotonic() - this.#nextTick;
    this.#noticeSleep();
    this.#nextTick = clock.monotonic() + TICK_MS;
    this.#accept({
      t: "ticked",
      load: localLoad(),
      addresses: this.#addresses,
      lateMs: Math.max(0, lateMs),
    });
  }

  /** Asleep, the monotonic clock stands still where the boot clock goes on; a stopped process sees both jump. */
  #noticeSleep(): void {
    const monotonic = this.#options.clock.monotonic();
    const boot = this.#bootMs();
    const passed = Math.max(monotonic - this.#monotonic, boot - this.#boot);
    this.#monotonic = monotonic;
    this.#boot = boot;
    const sleptMs = passed - TICK_MS;
    if (sleptMs <= SLEPT_MS) return;
    this.#options.logger.warn("membership.slept", { ms: Math.round(sleptMs) });
    this.#options.onSlept?.(sleptMs);
    this.#accept({ t: "slept" });
  }

  #wake(): void {
    this.#timerAt = Infinity;
    if (this.#options.clock.monotonic() >= this.#nextTick) this.#tick();
    else this.#accept({ t: "woken" });
  }

  /** One timer, for the tick or for what is due before. */
  #setTimer(): void {
    const at = Math.min(this.#nextTick, this.#machine.wakeAt);
    if (at === this.#timerAt || !this.#isRunning) return;
    this.#cancelTimer();
    this.#timerAt = at;
    const { clock } = this.#options;
    // Timers have whole milliseconds; one that fires a hair early would be set again and again.
    const ms = Math.max(1, Math.ceil(at - clock.monotonic()));
    this.#cancelTimer = clock.after(ms, () => this.#wake(), { unref: true });
  }

  #rememberSoon(): void {
    const { clock, remember } = this.#options;
    if (remember === undefined) return;
    this.#cancelRemember ??= clock.after(REMEMBER_DELAY_MS, () => this.#rememberNow(), {
      unref: true,
    });
  }

  #rememberNow(): void {
    this.#cancelRemember?.();
    this.#cancelRemember = undefined;
    this.#options.remember?.(this.#machine.known());
  }
}
