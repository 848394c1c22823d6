/** The thread that serves: a TLS port of its own, which knows nobody but the holders of tickets. The main loop sees no byte of it. */
import { createServer, type TLSSocket } from "node:tls";
import { parentPort, workerData } from "node:worker_threads";
import { SegmentFiles } from "../../src/store/level/segment-files.ts";
import { systemClock } from "../../src/env/clock.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  HANDSHAKE_MS,
  LANES_PER_PEER_MAX,
  LANES_SERVED_MAX,
  PROGRESS_MS,
  SOCKETS_SERVED_MAX,
  TICKETS_PENDING_MAX,
} from "./bulk-limits.ts";
import { LaneServer } from "./lane-server.ts";
import { LANE_TLS } from "./lane-tls.ts";
import type {
  FromServeThread,
  ServedPiece,
  ServeThreadOptions,
  ToServeThread,
} from "./thread-messages.ts";

interface Ticket {
  readonly peer: PeerId;
  readonly key: Uint8Array;
  readonly expiresAt: number;
}

interface Lane {
  readonly peer: PeerId | undefined;
  readonly server: LaneServer;
}

class ServeThread {
  readonly #options: ServeThreadOptions;
  readonly #post: (message: FromServeThread) => void;
  readonly #tickets = new Map<string, Ticket>();
  /** Of a handshake that is not finished: whose ticket it used. */
  readonly #admitted = new WeakMap<TLSSocket, PeerId>();
  /** The oldest first. */
  readonly #lanes = new Map<TLSSocket, Lane>();
  readonly #questions = new Map<number, (pieces: readonly ServedPiece[]) => void>();
  readonly #files = new SegmentFiles();
  #nextQuestion = 1;
  #served = 0;
  #isReporting = false;

  constructor(options: ServeThreadOptions, post: (message: FromServeThread) => void) {
    this.#options = options;
    this.#post = post;
  }

  start(): void {
    const server = createServer({
      ...LANE_TLS,
      handshakeTimeout: HANDSHAKE_MS,
      pskCallback: (socket, identity) => this.#keyOf(socket, identity),
    });
    server.maxConnections = SOCKETS_SERVED_MAX;
    server.on("secureConnection", (socket) => this.#opened(socket));
    server.on("tlsClientError", (error, socket) => {
      socket.destroy();
      this.#post({ t: "refused", reason: error.message.slice(0, 100) });
    });
    server.on("error", (error) => this.#post({ t: "failed", reason: error.message }));
    server.listen({ port: 0, host: this.#options.host }, () => {
      const bound = server.address();
      if (typeof bound !== "object" || bound === null) return;
      this.#post({ t: "listening", address: bound.address, port: bound.port });
    });
  }

  take(message: ToServeThread): void {
    switch (message.t) {
      case "ticket":
        return this.#remember(message);
      case "places":
        this.#questions.get(message.question)?.(message.pieces);
        this.#questions.delete(message.question);
        return;
      case "refuse":
        for (const [socket, { peer }] of this.#lanes) if (peer === message.peer) socket.destroy();
        for (const [identity, ticket] of this.#tickets) {
          if (ticket.peer === message.peer) this.#tickets.delete(identity);
        }
    }
  }

  #remember(message: Extract<ToServeThread, { t: "ticket" }>): void {
    const { identity, peer, key, ttlMs } = message;
    const now = systemClock.monotonic();
    for (const [other, ticket] of this.#tickets) {
      if (ticket.expiresAt <= now || this.#tickets.size >= TICKETS_PENDING_MAX) {
        this.#tickets.delete(other);
      }
    }
    this.#tickets.set(identity, { peer, key, expiresAt: now + ttlMs });
  }

  /** A ticket is good for one handshake, whatever becomes of it. */
  #keyOf(socket: TLSSocket, identity: string): Buffer | null {
    const ticket = this.#tickets.get(identity);
    if (ticket === undefined || !this.#tickets.delete(identity)) return null;
    if (ticket.expiresAt <= systemClock.monotonic()) return null;
    this.#admitted.set(socket, ticket.peer);
    return Buffer.from(ticket.key);
  }

  #opened(socket: TLSSocket): void {
    socket.on("error", () => undefined);
    const peer = this.#admitted.get(socket);
    this.#makeRoom(peer);
    if (this.#lanes.size >= LANES_SERVED_MAX) return void socket.destroy();
    socket.on("close", () => this.#lanes.delete(socket));
    // Neither a byte asked nor a byte taken in this time: nobody is there.
    socket.setTimeout(this.#options.idleMs, () => socket.destroy());
    const server = new LaneServer(socket, {
      clock: systemClock,
      locate: (digests) => this.#locate(digests),
      read: (file, into, offset) =>
        this.#files.read({ file, offset, bytes: into.length, digest: "" }, into),
      onServed: (bytes) => this.#count(bytes),
    });
    this.#lanes.set(socket, { peer, server });
    server.start();
  }

  /** Of a peer that has its share its oldest lane goes; where all are taken, the one that has been idle longest. */
  #makeRoom(peer: PeerId | undefined): void {
    const lanes = [...this.#lanes];
    const own = lanes.filter(([, lane]) => lane.peer === peer);
    if (own.length >= LANES_PER_PEER_MAX) return this.#close(own[0]?.[0]);
    if (lanes.length < LANES_SERVED_MAX) return;
    const idle = lanes
      .filter(([, { server }]) => server.idleSince !== undefined)
      .sort(([, a], [, b]) => (a.server.idleSince ?? 0) - (b.server.idleSince ?? 0));
    this.#close(idle[0]?.[0]);
  }

  #close(socket: TLSSocket | undefined): void {
    if (socket === undefined) return;
    this.#lanes.delete(socket);
    socket.destroy();
  }

  #locate(digests: readonly string[]): Promise<readonly ServedPiece[]> {
    const question = this.#nextQuestion++;
    return new Promise((resolve) => {
      this.#questions.set(question, resolve);
      this.#post({ t: "locate", question, digests });
    });
  }

  #count(bytes: number): void {
    this.#served += bytes;
    if (this.#isReporting) return;
    this.#isReporting = true;
    systemClock.after(PROGRESS_MS, () => {
      this.#isReporting = false;
      this.#post({ t: "served", bytes: this.#served, lanes: this.#lanes.size });
      this.#served = 0;
    });
  }
}

const port = parentPort;
if (port !== null) {
  const thread = new ServeThread(workerData as ServeThreadOptions, (message) => {
    port.postMessage(message);
  });
  port.on("message", (message: ToServeThread) => thread.take(message));
  thread.start();
}
