/** Peers with real stores and real lanes, over a network in memory; and a peer whose lane does what it should not. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type TLSSocket, type Server } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBulk, type Bulk, type BulkParts } from "../../../../daemon/bulk/bulk.ts";
import { AskReader, PIECE_HERE, writeAnswerHeader } from "../../../../daemon/bulk/lane-frames.ts";
import { LANE_TLS } from "../../../../daemon/bulk/lane-tls.ts";
import { cidFromDigest } from "../../../../src/artifact/cid.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger, type Logger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { PeerId, PeerRole, PeerView } from "../../../../src/model/peer.ts";
import { openStore } from "../../../../src/store/open-store.ts";
import type { Store } from "../../../../src/store/ports.ts";
import { HAVE, TICKET, type LaneTicket } from "../../../../src/wire/bulk-protocol.ts";
import type { PeerDirectory, PeerEvent } from "../../../../src/wire/peer-directory.ts";
import type { Transport } from "../../../../src/wire/transport.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../../../support/memory-network.ts";

export interface TestPeer {
  readonly id: PeerId;
  readonly store: Store;
  readonly bulk: Bulk;
  readonly transport: Transport;
  readonly directory: TestDirectory;
  readonly warnings: { event: string; fields: Record<string, unknown> | undefined }[];
}

export class TestDirectory implements PeerDirectory {
  readonly self: PeerId;
  readonly #peers: Map<PeerId, PeerView>;
  readonly #listeners = new Set<(event: PeerEvent) => void>();

  constructor(self: PeerId, peers: Map<PeerId, PeerView>) {
    this.self = self;
    this.#peers = peers;
  }

  peers(): readonly PeerView[] {
    return [...this.#peers.values()].map((peer) => ({ ...peer, isSelf: peer.id === this.self }));
  }

  get(peer: PeerId): PeerView | undefined {
    return this.peers().find(({ id }) => id === peer);
  }

  subscribe(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(peer: PeerId): void {
    const view = this.get(peer);
    if (view === undefined) return;
    for (const listener of this.#listeners) listener({ t: "changed", peer: view, was: undefined });
  }
}

export class TestMesh {
  readonly dir = mkdtempSync(join(tmpdir(), "mf-bulk-"));
  readonly network: MemoryNetwork = createMemoryNetwork();
  readonly views = new Map<PeerId, PeerView>();
  readonly #open: TestPeer[] = [];
  readonly #closers: (() => Promise<void> | void)[] = [];

  async peer(
    name: string,
    options: Partial<BulkParts> & { roles?: PeerRole[]; wrapStore?: (store: Store) => Store } = {},
  ): Promise<TestPeer> {
    const id = name as PeerId;
    const home = join(this.dir, name);
    const warnings: TestPeer["warnings"] = [];
    const logger: Logger = {
      ...silentLogger,
      warn: (event, fields) => warnings.push({ event, fields }),
    };
    const env = { clock: systemClock, random: systemRandom, logger };
    const opened = await openStore(home, env);
    const store = options.wrapStore?.(opened) ?? opened;
    const transport = await this.join(id, options.roles ?? ["store", "work"]);
    const directory = new TestDirectory(id, this.views);
    const parts = { ...env, transport, directory, store, home, host: "127.0.0.1", ...options };
    const bulk = createBulk(parts);
    bulk.start();
    const peer = { id, store, bulk, transport, directory, warnings };
    this.#open.push(peer);
    return peer;
  }

  /** A transport that is connected with everybody so far. */
  async join(id: PeerId, roles: PeerRole[] = []): Promise<Transport> {
    const transport = this.network.transport(id);
    this.views.set(id, viewOf(id, roles));
    await transport.start();
    for (const other of this.views.keys()) if (other !== id) transport.keep(other, []);
    while (transport.connected().length < this.views.size - 1) await Promise.resolve();
    return transport;
  }

  onClose(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const { bulk } of this.#open) await bulk.stop();
    for (const { store } of this.#open) await store.close();
    for (const close of this.#closers) await close();
    for (const { transport } of this.#open) await transport.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function viewOf(id: PeerId, roles: PeerRole[]): PeerView {
  return {
    id,
    isSelf: false,
    state: "alive",
    addresses: [],
    profile: { name: id, version: "0", roles, labels: {}, platform: "linux", abi: "115" },
    isConnected: true,
  };
}

/** A byte now and then: never silent for long, never done. */
function drip(socket: TLSSocket, data: Buffer): void {
  let at = 0;
  const timer = setInterval(() => socket.write(data.subarray(at, ++at)), 20);
  socket.on("close", () => clearInterval(timer));
}

/** What a bad lane does with the pieces it is asked for, counted from 0. */
export type Misdeed = (
  piece: number,
  socket: TLSSocket,
) => "good" | "wrong" | "silent" | "cut" | "garbage" | "drip";

/** A peer that claims to hold all of `store` and serves it as `misdeed` says. */
export async function badSource(
  mesh: TestMesh,
  name: string,
  store: Store,
  misdeed: Misdeed,
): Promise<{ readonly id: PeerId; readonly served: () => number; readonly server: Server }> {
  const id = name as PeerId;
  const transport = await mesh.join(id, []);
  const keys = new Map<string, Buffer>();
  let pieces = 0;
  let good = 0;
  const serve = async (socket: TLSSocket, digest: string): Promise<void> => {
    const what = misdeed(pieces++, socket);
    if (what === "silent") return;
    if (what === "cut") return void socket.destroy();
    if (what === "garbage") return void socket.write(Buffer.alloc(4096, 0xee));
    const data = Buffer.from(await store.read(cidFromDigest("raw", digest)));
    if (what === "wrong") data[data.length >> 1] = (data[data.length >> 1] ?? 0) ^ 1;
    else good++;
    const header = Buffer.alloc(8);
    writeAnswerHeader(header, PIECE_HERE, data.length);
    socket.write(header);
    if (what === "drip") return drip(socket, data);
    socket.write(data);
  };
  const server = createServer({ ...LANE_TLS, pskCallback: (_s, who) => keys.get(who) ?? null });
  const sockets = new Set<TLSSocket>();
  server.on("secureConnection", (socket) => {
    sockets.add(socket);
    const reader = new AskReader();
    let turn = Promise.resolve();
    socket.on("error", () => undefined);
    socket.on("data", (data: Buffer) => {
      for (const digest of reader.feed(data) ?? []) turn = turn.then(() => serve(socket, digest));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  transport.handle(TICKET, async () => {
    const identity = Buffer.from(systemRandom.bytes(16)).toString("hex");
    const key = Buffer.from(systemRandom.bytes(32));
    keys.set(identity, key);
    return { hosts: ["127.0.0.1"], port: address.port, identity, key, expiresMs: 10_000 };
  });
  transport.handle(HAVE, async (_from, { ids }) => {
    const here = await store.locate(ids as Cid[]);
    const sizes = here.map((location) => {
      if (location === undefined) return -1;
      return "inline" in location ? location.inline.length : location.bytes;
    });
    return { sizes, inline: [] };
  });
  mesh.onClose(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { id, served: () => good, server };
}

/** A lane of one's own, with the ticket or something like it. */
export function dial(
  ticket: LaneTicket,
  wrong: { identity?: string; key?: Uint8Array } = {},
): TLSSocket {
  const socket = connect({
    ...LANE_TLS,
    host: ticket.hosts[0],
    port: ticket.port,
    checkServerIdentity: () => new Error("a lane has no certificate"),
    pskCallback: () => ({
      psk: wrong.key ?? ticket.key,
      identity: wrong.identity ?? ticket.identity,
    }),
  });
  socket.on("error", () => undefined);
  return socket;
}

/** The store, with some of it replaced. */
export function delegating(store: Store, own: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      const mine: unknown = Reflect.get(own, name);
      if (mine !== undefined) return mine;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export async function settled(isSo: () => boolean): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    assert.ok(turn < 1_000_000, "it never came to pass");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
