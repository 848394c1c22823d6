/**
 * A network in one process: Transports that reach each other in microtasks, and the faults of a real one by command. Every
 * message is encoded and decoded, so what works here has a codec that works.
 */
import { Exchange, type Session } from "../../daemon/net/exchange.ts";
import type { Frame } from "../../daemon/net/frame.ts";
import { systemClock, type Clock } from "../../src/env/clock.ts";
import { silentLogger, type Logger } from "../../src/env/logger.ts";
import { systemRandom, type Random } from "../../src/env/random.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type {
  DialFailure,
  NoticeType,
  RequestOptions,
  RequestType,
  Transport,
  TransportEvent,
} from "../../src/wire/transport.ts";

const REDIAL_MS = 250;
const REDIAL_MS_MAX = 30_000;

export interface MemoryNetworkOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
}

export interface MemoryNetwork {
  /** A peer's Transport; asking again for the same peer gives a fresh one, as a restarted process would have. */
  transport(peer: PeerId): Transport;
  /** Nothing passes between the two. Both see a broken connection at once, unless `isSilent`: then messages just vanish. */
  cut(a: PeerId, b: PeerId, options?: { readonly isSilent?: boolean }): void;
  heal(a: PeerId, b: PeerId): void;
  /** The process is gone: connections break, dials are refused, nothing of it is delivered any more. */
  kill(peer: PeerId): void;
  /** From now on every message takes so long; 0 is a microtask. Order between two peers stays. */
  delay(ms: number | ((from: PeerId, to: PeerId) => number)): void;
  /** Frames delivered so far. */
  readonly deliveredCount: number;
}

export function createMemoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  return new Network(options);
}

type Cut = "loud" | "silent";

class Network implements MemoryNetwork {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  deliveredCount = 0;
  readonly #peers = new Map<PeerId, MemoryTransport>();
  readonly #cuts = new Map<string, Cut>();
  readonly #busyUntil = new Map<string, number>();
  #delay: (from: PeerId, to: PeerId) => number = () => 0;

  constructor(options: MemoryNetworkOptions) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
    this.logger = options.logger ?? silentLogger;
  }

  transport(peer: PeerId): Transport {
    this.kill(peer);
    const transport = new MemoryTransport(peer, this);
    this.#peers.set(peer, transport);
    return transport;
  }

  cut(a: PeerId, b: PeerId, options: { readonly isSilent?: boolean } = {}): void {
    this.#cuts.set(pairKey(a, b), options.isSilent === true ? "silent" : "loud");
    if (options.isSilent !== true) this.unlink(a, b, "reset");
  }

  heal(a: PeerId, b: PeerId): void {
    this.#cuts.delete(pairKey(a, b));
  }

  kill(peer: PeerId): void {
    const transport = this.#peers.get(peer);
    this.#peers.delete(peer);
    transport?.die();
  }

  delay(ms: number | ((from: PeerId, to: PeerId) => number)): void {
    this.#delay = typeof ms === "number" ? () => ms : ms;
  }

  dial(from: MemoryTransport, to: PeerId): DialFailure | undefined {
    if (this.#cuts.has(pairKey(from.self, to))) return "timeout";
    const target = this.#peers.get(to);
    if (target === undefined || !target.isListening) return "refused";
    from.link(target);
    target.link(from);
    return undefined;
  }

  unlink(a: PeerId, b: PeerId, why: "closed" | "reset"): void {
    this.#peers.get(a)?.unlinked(b, why);
    this.#peers.get(b)?.unlinked(a, why);
  }

  deliver(from: PeerId, to: PeerId, perform: () => void): void {
    if (this.#cuts.has(pairKey(from, to))) return;
    const arrive = (): void => {
      this.deliveredCount++;
      perform();
    };
    const ms = this.#delay(from, to);
    const key = `${from} ${to}`;
    const now = this.clock.monotonic();
    const at = Math.max(now + ms, this.#busyUntil.get(key) ?? 0);
    if (at <= now) return queueMicrotask(arrive);
    this.#busyUntil.set(key, at);
    this.clock.after(at - now, arrive);
  }
}

class MemoryTransport implements Transport {
  readonly self: PeerId;
  readonly #network: Network;
  readonly #exchange: Exchange;
  readonly #links = new Map<PeerId, Link>();
  readonly #kept = new Map<PeerId, Kept>();
  readonly #listeners = new Set<(event: TransportEvent) => void>();
  isListening = false;

  constructor(self: PeerId, network: Network) {
    this.self = self;
    this.#network = network;
    this.#exchange = new Exchange({ self, clock: network.clock, logger: network.logger });
  }

  addresses(): readonly string[] {
    return [`/memory/${this.self}`];
  }

  async start(): Promise<void> {
    this.isListening = true;
    for (const peer of this.#kept.keys()) this.#dial(peer);
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    this.isListening = false;
    for (const peer of this.#kept.keys()) this.#release(peer);
    for (const peer of this.#links.keys()) this.#network.unlink(this.self, peer, "closed");
    await Promise.resolve();
  }

  /** Like stop, but nobody says goodbye and nothing is heard of it any more. */
  die(): void {
    this.isListening = false;
    this.#listeners.clear();
    for (const peer of this.#kept.keys()) this.#release(peer);
    for (const peer of this.#links.keys()) {
      this.unlinked(peer, "reset");
      this.#network.unlink(this.self, peer, "reset");
    }
  }

  handle<Q, A>(type: RequestType<Q, A>, handler: (from: PeerId, query: Q) => Promise<A>): void {
    this.#exchange.handle(type, handler);
  }

  request<Q, A>(
    to: PeerId,
    type: RequestType<Q, A>,
    query: Q,
    options: RequestOptions,
  ): Promise<A> {
    return this.#exchange.request(to, type, query, options);
  }

  listen<M>(type: NoticeType<M>, handler: (from: PeerId, message: M) => void): void {
    this.#exchange.listen(type, handler);
  }

  send<M>(to: PeerId, type: NoticeType<M>, message: M): void {
    this.#exchange.send(to, type, message);
  }

  keep(peer: PeerId, _addresses: readonly string[]): void {
    if (peer === this.self || this.#kept.has(peer)) return;
    this.#kept.set(peer, { attempt: 0, cancel: undefined });
    if (this.isListening) this.#dial(peer);
  }

  forget(peer: PeerId): void {
    this.#release(peer);
    if (this.#links.has(peer)) this.#network.unlink(this.self, peer, "closed");
  }

  isConnected(peer: PeerId): boolean {
    return this.#links.has(peer);
  }

  connected(): readonly PeerId[] {
    return [...this.#links.keys()];
  }

  subscribe(listener: (event: TransportEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  link(other: MemoryTransport): void {
    const peer = other.self;
    if (this.#links.has(peer)) return;
    const session = this.#exchange.open(peer, (frame) => {
      this.#post(other, session, frame);
      return "queued";
    });
    this.#links.set(peer, { session });
    const kept = this.#kept.get(peer);
    if (kept !== undefined) kept.attempt = 0;
    this.#emit({ t: "connected", peer, addresses: other.addresses() });
  }

  unlinked(peer: PeerId, why: "closed" | "reset"): void {
    if (!this.#links.delete(peer)) return;
    this.#exchange.close(peer, why === "reset" ? "the connection broke" : "it closed");
    this.#emit({ t: "disconnected", peer, why });
    const kept = this.#kept.get(peer);
    if (kept !== undefined) queueMicrotask(() => this.#dial(peer));
  }

  #post(other: MemoryTransport, session: Session, frame: Frame): void {
    const sent: Frame = { ...frame, body: frame.body.slice() };
    this.#network.deliver(this.self, other.self, () => {
      const back = other.#links.get(this.self);
      if (back === undefined || !session.isOpen) return;
      const header = { k: sent.k, id: "id" in sent ? sent.id : 0, name: frameName(sent) };
      const verdict = other.#exchange.bodyVerdict(back.session, header);
      const isTooBig = verdict.isWanted && sent.body.length > verdict.bytesMax;
      const fault = isTooBig ? "too big" : other.#exchange.receive(back.session, sent);
      if (fault !== undefined) this.#network.unlink(this.self, other.self, "reset");
    });
  }

  #dial(peer: PeerId): void {
    const kept = this.#kept.get(peer);
    if (kept === undefined || !this.isListening || this.#links.has(peer)) return;
    kept.cancel?.();
    kept.cancel = undefined;
    queueMicrotask(() => {
      if (this.#kept.get(peer) !== kept || !this.isListening || this.#links.has(peer)) return;
      const failure = this.#network.dial(this, peer);
      if (failure === undefined) return;
      const ms = Math.min(REDIAL_MS * 2 ** kept.attempt++, REDIAL_MS_MAX);
      const jittered = ms * (0.75 + this.#network.random.next() / 2);
      kept.cancel = this.#network.clock.after(jittered, () => this.#dial(peer), { unref: true });
      this.#emit({ t: "dial-failed", peer, why: failure });
    });
  }

  #release(peer: PeerId): void {
    this.#kept.get(peer)?.cancel?.();
    this.#kept.delete(peer);
  }

  #emit(event: TransportEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

interface Link {
  readonly session: Session;
}

interface Kept {
  attempt: number;
  cancel: (() => void) | undefined;
}

function frameName(frame: Frame): string {
  return frame.k === "request" || frame.k === "notice" ? frame.name : "";
}

function pairKey(a: PeerId, b: PeerId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
