/**
 * The Transport over libp2p: composes the host, the links, those who join, and the exchange of messages. What may come in is
 * decided by the gate; how, by link-machine.ts; when to dial, by dial-machine.ts.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { defined } from "../../src/std/assert.ts";
import type { AdmissionGate, PeerIdentity } from "../../src/wire/admission.ts";
import type {
  NoticeType,
  RequestOptions,
  RequestType,
  Transport,
  TransportEvent,
} from "../../src/wire/transport.ts";
import { Exchange } from "./exchange.ts";
import { InboundWatch } from "./inbound-watch.ts";
import { JoinService } from "./join-service.ts";
import { CONTROL_PROTOCOL, createHost, JOIN_PROTOCOL, type Host } from "./libp2p-host.ts";
import { LinkService } from "./link-service.ts";
import type { Traffic } from "./link-stream.ts";
import { STREAMS_MAX } from "./net-limits.ts";
import { listenAddress } from "./peer-address.ts";

export interface Libp2pTransportOptions {
  readonly identity: PeerIdentity;
  readonly gate: AdmissionGate;
  /** `host:port` or a multiaddr; port 0 takes a free one. */
  readonly listen: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Ask the local network for members. @default false */
  readonly mdns?: boolean;
}

export interface Libp2pTransport extends Transport {
  /** What is bound, without /p2p/. */
  listenAddresses(): readonly string[];
  traffic(): Readonly<Traffic>;
}

export function createLibp2pTransport(options: Libp2pTransportOptions): Libp2pTransport {
  return new LinkedTransport(options);
}

class LinkedTransport implements Libp2pTransport {
  readonly self: PeerId;
  readonly #options: Libp2pTransportOptions;
  readonly #exchange: Exchange;
  readonly #links: LinkService;
  readonly #joins: JoinService;
  readonly #inbound: InboundWatch;
  readonly #listeners = new Set<(event: TransportEvent) => void>();
  #host: Host | undefined;

  constructor(options: Libp2pTransportOptions) {
    const { identity, clock, random, logger, gate } = options;
    this.self = identity.peerId;
    this.#options = options;
    this.#exchange = new Exchange({ self: this.self, clock, logger });
    this.#links = new LinkService({
      self: this.self,
      clock,
      random,
      logger,
      gate,
      exchange: this.#exchange,
      listenAddresses: () => this.listenAddresses(),
      // We decide which of two connections stays, so libp2p must not answer with one that it has.
      dial: (addresses, signal) =>
        defined(this.#host).libp2p.dial(addresses, { force: true, signal }),
      emit: (event) => this.#emit(event),
    });
    this.#joins = new JoinService({ gate, clock, logger });
    this.#inbound = new InboundWatch(clock);
  }

  addresses(): readonly string[] {
    return this.listenAddresses().map((address) => `${address}/p2p/${this.self}`);
  }

  listenAddresses(): readonly string[] {
    return this.#host?.boundAddresses() ?? [];
  }

  /** @throws MfError LISTEN_FAILED */
  async start(): Promise<void> {
    const { identity, gate, listen, mdns = false } = this.#options;
    const host = await createHost({
      identity,
      prologue: gate.prologue,
      listen: listen.map(listenAddress),
      ...(mdns ? { discovered: (peer, addresses) => this.#discovered(peer, addresses) } : {}),
    });
    const { libp2p } = host;
    const limits = { maxInboundStreams: STREAMS_MAX, maxOutboundStreams: STREAMS_MAX };
    await libp2p.handle(CONTROL_PROTOCOL, (stream, by) => this.#links.accept(stream, by), limits);
    await libp2p.handle(JOIN_PROTOCOL, (stream, by) => this.#joins.accept(stream, by), limits);
    libp2p.addEventListener("connection:open", ({ detail }) => this.#inbound.opened(detail));
    this.#host = host;
    try {
      await libp2p.start();
    } catch (error) {
      this.#host = undefined;
      await libp2p.stop();
      throw listenFailed(listen, error);
    }
    this.#links.start();
  }

  async stop(): Promise<void> {
    const host = this.#host;
    if (host === undefined) return;
    await this.#links.stop();
    this.#host = undefined;
    await host.libp2p.stop();
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

  keep(peer: PeerId, addresses: readonly string[]): void {
    if (peer !== this.self) this.#links.keep(peer, addresses);
  }

  traffic(): Readonly<Traffic> {
    return { ...this.#links.traffic };
  }

  forget(peer: PeerId): void {
    this.#links.forget(peer);
  }

  isConnected(peer: PeerId): boolean {
    return this.#links.isConnected(peer);
  }

  connected(): readonly PeerId[] {
    return this.#links.connected();
  }

  subscribe(listener: (event: TransportEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #discovered(peer: PeerId, addresses: readonly string[]): void {
    if (peer !== this.self) this.#emit({ t: "discovered", peer, addresses });
  }

  /** A listener's mistake is its own: the others are told all the same. */
  #emit(event: TransportEvent): void {
    for (const listener of Array.from(this.#listeners)) {
      try {
        listener(event);
      } catch (error) {
        const stack = error instanceof Error ? error.stack : String(error);
        this.#options.logger.error("transport-listener-failed", { t: event.t, stack });
      }
    }
  }
}

function listenFailed(listen: readonly string[], error: unknown): MfError {
  const text = error instanceof Error ? error.message : String(error);
  const reason = /EADDRINUSE/u.test(text)
    ? "the port is taken"
    : (/E[A-Z]{4,}/u.exec(text)?.[0] ?? text.slice(0, 200));
  return new MfError("LISTEN_FAILED", { address: listen.join(", "), reason });
}
