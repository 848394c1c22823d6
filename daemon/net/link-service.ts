/**
 * The links of this peer over one libp2p host: turns connections into links, lets the gate judge who greets, keeps dials and the
 * exchange informed of what opens and ends.
 */
import type { Connection, Stream } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { defined } from "../../src/std/assert.ts";
import type { AdmissionGate, AdmissionVerdict } from "../../src/wire/admission.ts";
import { ADDRESSES_MAX, WIRE_VERSION, type Hello } from "../../src/wire/hello-message.ts";
import type { DialFailure, TransportEvent } from "../../src/wire/transport.ts";
import { DialService } from "./dial-service.ts";
import type { Exchange, Session } from "./exchange.ts";
import { CONTROL_PROTOCOL, MEMBER_ENCRYPTION } from "./libp2p-host.ts";
import { Link, type LinkOwner } from "./link.ts";
import { NO_GREETING, type LinkEnd } from "./link-machine.ts";
import { counted, endConnection, linkStream, type Traffic } from "./link-stream.ts";
import { DUPLICATE, LinkTable } from "./link-table.ts";
import { ADDRESSES_KEPT_MAX, LINK_TICK_MS, UPGRADE_MS } from "./net-limits.ts";
import { dialAddresses, mergeAddresses, observedAddress } from "./peer-address.ts";
import { RefusalLog } from "./refusal-log.ts";

export interface LinkServiceDeps {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly gate: AdmissionGate;
  readonly exchange: Exchange;
  listenAddresses(): readonly string[];
  dial(addresses: Multiaddr[], signal: AbortSignal): Promise<Connection>;
  emit(event: TransportEvent): void;
}

export class LinkService {
  readonly traffic: Traffic = { bytesSent: 0, bytesReceived: 0 };
  readonly #deps: LinkServiceDeps;
  readonly #table: LinkTable;
  readonly #dials: DialService;
  readonly #refusals: RefusalLog;
  readonly #owner: LinkOwner;
  readonly #sessions = new WeakMap<Link, Session>();
  /** Where inbound links came from. */
  readonly #origins = new WeakMap<Link, string>();
  /** Links that we refused ourselves. */
  readonly #refused = new WeakSet<Link>();
  #isRunning = false;
  #cancelTick: (() => void) | undefined;

  constructor(deps: LinkServiceDeps) {
    this.#deps = deps;
    this.#table = new LinkTable(deps.self);
    this.#refusals = new RefusalLog(deps.clock, deps.logger);
    this.#dials = new DialService({
      self: deps.self,
      clock: deps.clock,
      random: deps.random,
      logger: deps.logger,
      open: (addresses, signal) => deps.dial(addresses, signal),
      opened: (peer, connection) => void this.#greet(peer, connection),
      failed: (peer, why) => deps.emit({ t: "dial-failed", peer, why }),
    });
    this.#owner = {
      hello: () => this.#hello(),
      judge: (link, hello) => this.#judge(link, hello),
      opened: (link) => this.#opened(link),
      ended: (link, end) => this.#ended(link, end),
      bodyVerdict: (link, header) => deps.exchange.bodyVerdict(this.#session(link), header),
      received: (link, frame) => deps.exchange.receive(this.#session(link), frame),
    };
  }

  start(): void {
    this.#isRunning = true;
    this.#tick();
    this.#dials.start();
  }

  /** Says goodbye to all; nothing new comes about from here on. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancelTick?.();
    const dialsEnded = this.#dials.stop();
    for (const link of this.#table.all()) link.leave();
    await this.#table.closed();
    await dialsEnded;
  }

  keep(peer: PeerId, addresses: readonly string[]): void {
    this.#dials.keep(peer, addresses, this.isConnected(peer));
  }

  forget(peer: PeerId): void {
    this.#dials.release(peer);
    for (const link of this.#table.of(peer)) link.leave();
  }

  isConnected(peer: PeerId): boolean {
    return this.#table.get(peer) !== undefined;
  }

  connected(): readonly PeerId[] {
    return this.#table.peers();
  }

  /** A peer opened the control stream of a connection that it dialled. */
  accept(stream: Stream, connection: Connection): void {
    const isMember = connection.encryption === MEMBER_ENCRYPTION;
    if (!isMember || !this.#isRunning || this.#table.isGreetingFull)
      return void endConnection(connection, "not now, or not over this encrypter", true);
    try {
      const link = this.#addLink(stream, connection, false);
      this.#origins.set(link, connection.remoteAddr.toString());
    } catch (error) {
      this.#deps.logger.error("greeting-failed", { error: String(error) });
      void endConnection(connection, "no greeting came about", true);
    }
  }

  /** Our dial came through: greet, unless the peer was faster. Never rejects. */
  async #greet(peer: PeerId, connection: Connection): Promise<void> {
    try {
      if (connection.encryption !== MEMBER_ENCRYPTION) {
        await endConnection(connection, "it is no member", true);
        return this.#dials.greetingFailed(peer, "denied");
      }
      if (this.isConnected(peer) || !this.#isRunning)
        return await endConnection(connection, DUPLICATE, false);
      const signal = AbortSignal.timeout(UPGRADE_MS);
      const stream = await connection.newStream(CONTROL_PROTOCOL, { signal });
      if (this.isConnected(peer) || !this.#isRunning)
        return await endConnection(connection, DUPLICATE, false);
      this.#addLink(stream, connection, true);
    } catch (error) {
      this.#deps.logger.debug("greeting-failed", { peer, error: String(error) });
      await endConnection(connection, "no stream came about", true);
      this.#dials.greetingFailed(peer, "other");
    }
  }

  #addLink(stream: Stream, connection: Connection, isDialler: boolean): Link {
    const link = new Link({
      peer: connection.remotePeer.toString() as PeerId,
      stream: counted(linkStream(stream, connection), this.traffic),
      isDialler,
      clock: this.#deps.clock,
      owner: this.#owner,
    });
    this.#table.add(link);
    return link;
  }

  #session(link: Link): Session {
    return defined(this.#sessions.get(link), "an open link has a session");
  }

  #hello(): Hello {
    return {
      version: WIRE_VERSION,
      credentials: this.#deps.gate.credentials(),
      addresses: this.#deps.listenAddresses().slice(0, ADDRESSES_MAX),
    };
  }

  #judge(link: Link, hello: Hello): string | undefined {
    if (hello.version !== WIRE_VERSION)
      return this.#refuse(link, `it speaks wire version ${hello.version}, we ${WIRE_VERSION}`);
    if (this.#table.isDuplicate(link)) return DUPLICATE;
    const verdict = this.#admit(link.peer, hello.credentials);
    return verdict.isAdmitted ? undefined : this.#refuse(link, verdict.reason);
  }

  #admit(peer: PeerId, credentials: Uint8Array): AdmissionVerdict {
    try {
      // What the gate keeps of them must not be the link's buffer.
      return this.#deps.gate.admit(peer, credentials.slice());
    } catch (error) {
      const stack = error instanceof Error ? error.stack : String(error);
      this.#deps.logger.error("admission-failed", { peer, stack });
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
    const former = this.#table.get(peer);
    former?.cut("a newer connection took its place");
    this.#table.opened(link);
    this.#sessions.set(
      link,
      this.#deps.exchange.open(peer, (frame) => link.post(frame)),
    );
    this.#dials.connected(peer);
    this.#deps.emit({ t: "connected", peer, addresses: this.#addressesOf(link) });
  }

  /** What the peer says, and for an inbound link where it came from: behind a router it does not know that itself. */
  #addressesOf(link: Link): string[] {
    const origin = this.#origins.get(link);
    const seen = origin === undefined ? [] : observedAddress(origin, link.addresses);
    const all = mergeAddresses(link.addresses, seen, ADDRESSES_KEPT_MAX);
    return dialAddresses(link.peer, all).map((address) => address.toString());
  }

  #ended(link: Link, end: { why: LinkEnd; reason: string; wasOpen: boolean }): void {
    const { peer } = link;
    this.#deps.logger.debug("link-ended", { peer, why: end.why, reason: end.reason });
    const wasCurrent = this.#table.ended(link);
    if (wasCurrent) {
      this.#deps.exchange.close(peer, end.reason);
      this.#deps.emit({ t: "disconnected", peer, why: end.why === "closed" ? "closed" : "reset" });
      this.#dials.disconnected(peer);
    } else if (link.isDialler && !end.wasOpen) {
      this.#dials.greetingFailed(peer, greetingFailure(end));
      if (end.why === "denied" && end.reason !== DUPLICATE && !this.#refused.has(link))
        this.#refusals.refused(peer, "peer-refuses-us", end.reason);
    }
  }

  #tick(): void {
    const look = (): void => {
      for (const link of this.#table.open()) link.tick();
      this.#tick();
    };
    this.#cancelTick = this.#deps.clock.after(LINK_TICK_MS, look, { unref: true });
  }
}

/** Undefined: another connection between the two is under way. */
function greetingFailure(end: { why: LinkEnd; reason: string }): DialFailure | undefined {
  if (end.reason === DUPLICATE) return undefined;
  if (end.why === "denied") return "denied";
  return end.reason === NO_GREETING ? "timeout" : "other";
}
