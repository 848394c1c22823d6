/** Gives tickets to lanes and says where pieces are; the bytes go through a thread (bulk-serve-thread.ts), started at the first ticket. */
import { isIP } from "node:net";
import { Worker } from "node:worker_threads";
import { cidFromDigest } from "../../src/artifact/cid.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { ContentLocation, Store } from "../../src/store/ports.ts";
import {
  LANE_HOSTS_MAX,
  LANE_KEY_BYTES,
  TICKET,
  type LaneTicket,
} from "../../src/wire/bulk-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { TICKETS_PER_PEER_MAX } from "./bulk-limits.ts";
import type {
  FromServeThread,
  ServedPiece,
  ServeThreadOptions,
  ToServeThread,
} from "./thread-messages.ts";

export interface ServeServiceDeps {
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ServeServiceOptions {
  /** Interface the lane listens on; that of the daemon. */
  readonly host: string;
  readonly ticketTtlMs: number;
  readonly idleMs: number;
}

interface Running {
  readonly worker: Worker;
  readonly port: Promise<number>;
}

export class ServeService {
  readonly stats = { tickets: 0, servedBytes: 0, lanes: 0, refused: 0 };
  readonly #deps: ServeServiceDeps;
  readonly #options: ServeServiceOptions;
  /** When tickets were given, of the last TTL. */
  readonly #given = new Map<PeerId, number[]>();
  #running: Running | undefined;

  constructor(deps: ServeServiceDeps, options: ServeServiceOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  start(): void {
    this.#deps.transport.handle(TICKET, (from) => this.#ticket(from));
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.worker.terminate();
  }

  /** Closes the lanes of a peer that may no longer have them. */
  refuse(peer: PeerId): void {
    this.#post({ t: "refuse", peer });
  }

  async #ticket(from: PeerId): Promise<LaneTicket> {
    this.#count(from);
    this.#running ??= this.#startThread();
    const port = await this.#running.port;
    const { random, transport } = this.#deps;
    const ttlMs = this.#options.ticketTtlMs;
    const identity = Buffer.from(random.bytes(24)).toString("hex");
    const key = random.bytes(LANE_KEY_BYTES);
    this.#post({ t: "ticket", peer: from, identity, key, ttlMs });
    this.stats.tickets++;
    const hosts = laneHosts(this.#options.host, transport.addresses());
    return { hosts, port, identity, key, expiresMs: ttlMs };
  }

  #count(from: PeerId): void {
    const since = this.#deps.clock.monotonic() - this.#options.ticketTtlMs;
    for (const [peer, times] of this.#given) {
      const recent = times.filter((at) => at > since);
      if (recent.length === 0) this.#given.delete(peer);
      else this.#given.set(peer, recent);
    }
    const times = this.#given.get(from) ?? [];
    if (times.length >= TICKETS_PER_PEER_MAX) {
      const peer = this.#deps.transport.self;
      throw new MfError("PEER_UNREACHABLE", { peer, reason: "it gave too many lanes already" });
    }
    this.#given.set(from, [...times, this.#deps.clock.monotonic()]);
  }

  #startThread(): Running {
    const { host, idleMs } = this.#options;
    const workerData: ServeThreadOptions = { host, idleMs };
    const url = new URL("./bulk-serve-thread.js", import.meta.url);
    const worker = new Worker(url, { workerData, name: "mf-bulk-serve" });
    worker.unref();
    const port = new Promise<number>((resolve, reject) => {
      const fail = (reason: string): void => {
        if (this.#running?.worker === worker) this.#running = undefined;
        reject(new MfError("PEER_UNREACHABLE", { peer: this.#deps.transport.self, reason }));
      };
      worker.on("message", (message: FromServeThread) => {
        if (message.t === "listening") resolve(message.port);
        else if (message.t === "failed") {
          this.#deps.logger.error("bulk.serve-failed", { reason: message.reason });
          fail(message.reason);
          void worker.terminate();
        } else this.#heard(worker, message);
      });
      worker.on("error", (error) => {
        this.#deps.logger.error("bulk.serve-thread-died", { reason: error.message });
      });
      worker.on("exit", () => fail("its lane ended"));
    });
    // Whoever asked for a ticket is told; nobody else waits for it.
    port.catch(() => undefined);
    return { worker, port };
  }

  #heard(worker: Worker, message: FromServeThread): void {
    switch (message.t) {
      case "locate":
        return void this.#locate(worker, message.question, message.digests);
      case "served":
        this.stats.servedBytes += message.bytes;
        this.stats.lanes = message.lanes;
        return;
      case "refused":
        this.stats.refused++;
        this.#deps.logger.debug("bulk.lane-refused", { reason: message.reason });
        return;
      case "listening":
      case "failed":
    }
  }

  async #locate(worker: Worker, question: number, digests: readonly string[]): Promise<void> {
    let pieces: ServedPiece[];
    try {
      // By digest alone: the store then says where that piece is, not what a manifest describes.
      const ids = digests.map((digest) => cidFromDigest("raw", digest));
      pieces = (await this.#deps.store.locate(ids)).map(servedPiece);
    } catch (error) {
      this.#deps.logger.warn("bulk.locate-failed", { reason: String(error) });
      pieces = digests.map(() => undefined);
    }
    worker.postMessage({ t: "places", question, pieces } satisfies ToServeThread);
  }

  #post(message: ToServeThread): void {
    this.#running?.worker.postMessage(message);
  }
}

function servedPiece(location: ContentLocation | undefined): ServedPiece {
  if (location === undefined || "inline" in location) return location;
  const [part] = location.parts;
  return part === undefined
    ? { inline: new Uint8Array() }
    : { file: part.file, offset: part.offset, bytes: part.bytes };
}

/** Where this lane can be dialled, the likeliest first: loopback only helps a peer on the same machine. */
export function laneHosts(host: string, addresses: readonly string[]): string[] {
  if (host !== "0.0.0.0" && host !== "::") return [host];
  const found = addresses.flatMap((address) => {
    const ip = /^\/ip[46]\/([^/]+)\//.exec(address)?.[1];
    return ip !== undefined && isIP(ip) !== 0 ? [ip] : [];
  });
  const isLocal = (ip: string): boolean => ip.startsWith("127.") || ip === "::1";
  const hosts = [...new Set(found)].sort((a, b) => Number(isLocal(a)) - Number(isLocal(b)));
  return hosts.length === 0 ? ["127.0.0.1"] : hosts.slice(0, LANE_HOSTS_MAX);
}
