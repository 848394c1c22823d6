/**
 * The Transport over libp2p: composes the host, the links with their greetings, the dials and the exchange of messages. What may
 * come in is decided by the gate; how, by link-machine.ts; when to dial, by dial-machine.ts.
 */
import type { Connection, Stream } from "@libp2p/interface";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { defined } from "../../src/std/assert.ts";
import type { AdmissionGate, AdmissionVerdict, PeerIdentity } from "../../src/wire/admission.ts";
import { ADDRESSES_MAX, WIRE_VERSION, type Hello } from "../../src/wire/hello-message.ts";
import type {
  DialFailure,
  NoticeType,
  RequestOptions,
  RequestType,
  Transport,
  TransportEvent,
} from "../../src/wire/transport.ts";
import { DialService } from "./dial-service.ts";
import { Exchange, type Session } from "./exchange.ts";
import { joinChannel } from "./join-channel.ts";
import {
  CONTROL_PROTOCOL,
  createHost,
  JOIN_ENCRYPTION,
  JOIN_PROTOCOL,
  MEMBER_ENCRYPTION,
  type Host,
} from "./libp2p-host.ts";
import { Link, type LinkOwner } from "./link.ts";
import type { LinkEnd } from "./link-machine.ts";
import { endConnection, linkStream } from "./link-stream.ts";
import { DUPLICATE, LinkTable } from "./link-table.ts";
import {
  ADDRESSES_KEPT_MAX,
  GREETING_MS,
  JOINS_MAX,
  JOIN_MS,
  LINK_TICK_MS,
  STREAMS_MAX,
  UPGRADE_MS,
} from "./net-limits.ts";
import { listenAddress, mergeAddresses, observedAddress } from "./peer-address.ts";
import { RefusalLog } from "./refusal-log.ts";

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
}

export function createLibp2pTransport(options: Libp2pTransportOptions): Libp2pTransport {
  return new LinkedTransport(options);
}

class LinkedTransport implements Libp2pTransport {
  readonly self: PeerId;
  readonly #options: Libp2pTransportOptions;
  readonly #exchange: Exchange;
  readonly #links: LinkTable;
  readonly #sessions = new WeakMap<Link, Session>();
  readonly #observed = new WeakMap<Link, readonly string[]>();
  /** Links that we refused ourselves. */
  readonly #refused = new WeakSet<Link>();
  readonly #dials: DialService;
  readonly #refusals: RefusalLog;
  readonly #listeners = new Set<(event: TransportEvent) => void>();
  readonly #owner: LinkOwner;
  #host: Host | undefined;
  #joinCount = 0;
  #cancelTick: (() => void) | undefined;

  constructor(options: Libp2pTransportOptions) {
    const { identity, clock, random, logger } = options;
    this.self = identity.peerId;
    this.#options = options;
    this.#exchange = new Exchange({ self: this.self, clock, logger });
    this.#links = new LinkTable(this.self);
    this.#refusals = new RefusalLog(clock, logger);
    this.#dials = new DialService({
      clock,
      random,
      logger,
      open: (addresses, signal) =>
        defined(this.#host).libp2p.dial(addresses, { force: true, signal }),
      opened: (peer, connection) => void this.#greet(peer, connection),
      failed: (peer, why) => this.#emit({ t: "dial-failed", peer, why }),
    });
    this.#owner = {
      hello: () => this.#hello(),
      judge: (link, hello) => this.#judge(link, hello),
      opened: (link) => this.#opened(link),
      ended: (link, end) => this.#ended(link, end),
      bodyVerdict: (link, header) =>
        this.#exchange.bodyVerdict(defined(this.#sessions.get(link)), header),
      received: (link, frame) => this.#exchange.receive(defined(this.#sessions.get(link)), frame),
    };
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
    await libp2p.handle(CONTROL_PROTOCOL, (stream, by) => this.#accept(stream, by), limits);
    await libp2p.handle(JOIN_PROTOCOL, (stream, by) => this.#join(stream, by), limits);
    libp2p.addEventListener("connection:open", (event) => this.#expectStream(event.detail));
    this.#host = host;
    try {
      await libp2p.start();
    } catch (error) {
      this.#host = undefined;
      await libp2p.stop();
      throw listenFailed(listen, error);
    }
    this.#tick();
    this.#dials.start();
  }

  async stop(): Promise<void> {
    const host = this.#host;
    if (host === undefined) return;
    this.#host = undefined;
    this.#cancelTick?.();
    const dialsEnded = this.#dials.stop();
    for (const link of this.#links.all()) link.leave();
    await this.#links.closed();
    await host.libp2p.stop();
    await dialsEnded;
    await this.#links.closed();
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
    if (peer !== this.self) this.#dials.keep(peer, addresses, this.isConnected(peer));
  }

  forget(peer: PeerId): void {
    this.#dials.release(peer);
    for (const link of this.#links.of(peer)) link.leave();
  }

  isConnected(peer: PeerId): boolean {
    return this.#links.get(peer) !== undefined;
  }

  connected(): readonly PeerId[] {
    return this.#links.peers();
  }

  subscribe(listener: (event: TransportEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Our dial came through: greet, unless the peer was faster. Never rejects. */
  async #greet(peer: PeerId, connection: Connection): Promise<void> {
    try {
      if (connection.encryption !== MEMBER_ENCRYPTION) {
        await endConnection(connection, "it is no member", true);
        return this.#dials.greetingFailed(peer, "denied");
      }
      if (this.isConnected(peer) || this.#host === undefined)
        return await endConnection(connection, DUPLICATE, false);
      const signal = AbortSignal.timeout(UPGRADE_MS);
      const stream = await connection.newStream(CONTROL_PROTOCOL, { signal });
      if (this.isConnected(peer)) return await endConnection(connection, DUPLICATE, false);
      this.#addLink(stream, connection, true);
    } catch (error) {
      this.#options.logger.debug("greeting-failed", { peer, error: String(error) });
      await endConnection(connection, "no stream came about", true);
      this.#dials.greetingFailed(peer, "other");
    }
  }

  #accept(stream: Stream, connection: Connection): void {
    const isMember = connection.encryption === MEMBER_ENCRYPTION;
    if (!isMember || this.#host === undefined || this.#links.isGreetingFull)
      return void endConnection(connection, "not now, or not over this encrypter", true);
    try {
      this.#addLink(stream, connection, false);
    } catch (error) {
      this.#options.logger.debug("greeting-failed", { error: String(error) });
      void endConnection(connection, "no greeting came about", true);
    }
  }

  #addLink(stream: Stream, connection: Connection, isDialler: boolean): void {
    const link = new Link({
      peer: connection.remotePeer.toString() as PeerId,
      stream: linkStream(stream, connection),
      isDialler,
      clock: this.#options.clock,
      owner: this.#owner,
    });
    this.#links.add(link);
    const remote = connection.remoteAddr;
    this.#observed.set(link, isDialler ? [] : [remote.toString()]);
  }

  /** Serves a stranger with a ticket, one of a few at a time. */
  #join(stream: Stream, connection: Connection): void {
    const isStranger = connection.encryption === JOIN_ENCRYPTION;
    if (!isStranger || this.#joinCount >= JOINS_MAX)
      return void endConnection(connection, "not now, or not over this encrypter", true);
    this.#joinCount++;
    const channel = joinChannel(stream, connection, this.#options.clock);
    const served = this.#options.gate.serveJoin(channel).catch((error: unknown) => {
      this.#options.logger.error("join-failed", { peer: channel.remote, error: String(error) });
    });
    void served
      .then(() => channel.close())
      .finally(() => {
        this.#joinCount--;
      });
  }

  /** A connection on which nothing is asked in time is closed: it would only take a place. */
  #expectStream(connection: Connection): void {
    if (connection.direction !== "inbound") return;
    const isMember = connection.encryption === MEMBER_ENCRYPTION;
    const cancel = this.#options.clock.after(
      isMember ? GREETING_MS : JOIN_MS,
      () => {
        const isUsed = isMember && connection.streams.length > 0;
        if (!isUsed) void endConnection(connection, "it asks nothing", true);
      },
      { unref: true },
    );
    connection.addEventListener("close", cancel);
  }

  #discovered(peer: PeerId, addresses: readonly string[]): void {
    if (peer !== this.self) this.#emit({ t: "discovered", peer, addresses });
  }

  #hello(): Hello {
    return {
      version: WIRE_VERSION,
      credentials: this.#options.gate.credentials(),
      addresses: this.listenAddresses().slice(0, ADDRESSES_MAX),
    };
  }

  #judge(link: Link, hello: Hello): string | undefined {
    if (hello.version !== WIRE_VERSION)
      return this.#refuse(link, `it speaks wire version ${hello.version}, we ${WIRE_VERSION}`);
    if (this.#links.isDuplicate(link)) return DUPLICATE;
    const verdict = this.#admit(link.peer, hello.credentials);
    return verdict.isAdmitted ? undefined : this.#refuse(link, verdict.reason);
  }

  #admit(peer: PeerId, credentials: Uint8Array): AdmissionVerdict {
    try {
      // What the gate keeps of them must not be the link's buffer.
      return this.#options.gate.admit(peer, credentials.slice());
    } catch (error) {
      const stack = error instanceof Error ? error.stack : String(error);
      this.#options.logger.error("admission-failed", { peer, stack });
      return { isAdmitted: false, reason: "its credentials could not be judged" };
    }
  }

  #refuse(link: Link, reason: string): string {
    this.#refused.add(link);
    this.#refusals.refused(link.peer, "peer-refused", reason);
    return reason;
  }

  #opened(link: Link): void {
    const { peer } = link;
    const former = this.#links.get(peer);
    former?.cut("a newer connection took its place");
    this.#links.opened(link);
    this.#sessions.set(
      link,
      this.#exchange.open(peer, (frame) => link.post(frame)),
    );
    this.#dials.connected(peer);
    const addresses = mergeAddresses(link.addresses, this.#seenAt(link), ADDRESSES_KEPT_MAX);
    this.#emit({ t: "connected", peer, addresses: addresses.map((one) => `${one}/p2p/${peer}`) });
  }

  #seenAt(link: Link): string[] {
    const [remote] = this.#observed.get(link) ?? [];
    return remote === undefined ? [] : observedAddress(remote, link.addresses);
  }

  #ended(link: Link, end: { why: LinkEnd; reason: string; wasOpen: boolean }): void {
    const { peer } = link;
    const { logger } = this.#options;
    logger.debug("link-ended", { peer, why: end.why, reason: end.reason });
    const wasCurrent = this.#links.ended(link);
    if (wasCurrent) {
      this.#exchange.close(peer, end.reason);
      this.#emit({ t: "disconnected", peer, why: end.why === "closed" ? "closed" : "reset" });
      this.#dials.disconnected(peer);
    } else if (link.isDialler && !end.wasOpen) {
      this.#dials.greetingFailed(peer, greetingFailure(end));
      if (end.why === "denied" && end.reason !== DUPLICATE && !this.#refused.has(link))
        this.#refusals.refused(peer, "peer-refuses-us", end.reason);
    }
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.after(
      LINK_TICK_MS,
      () => {
        for (const link of this.#links.open()) link.tick();
        this.#tick();
      },
      { unref: true },
    );
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

/** Undefined: another connection between the two is under way. */
function greetingFailure(end: { why: LinkEnd; reason: string }): DialFailure | undefined {
  if (end.reason === DUPLICATE) return undefined;
  if (end.why === "denied") return "denied";
  return end.reason === "no greeting in time" ? "timeout" : "other";
}

function listenFailed(listen: readonly string[], error: unknown): MfError {
  const text = error instanceof Error ? error.message : String(error);
  const reason = /EADDRINUSE/u.test(text)
    ? "the port is taken"
    : (/E[A-Z]{4,}/u.exec(text)?.[0] ?? text.slice(0, 200));
  return new MfError("LISTEN_FAILED", { address: listen.join(", "), reason });
}
