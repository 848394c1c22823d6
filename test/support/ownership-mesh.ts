/**
 * Daemons' ownership over a memory network in virtual time: real engines and stores that outlive their process, fake hosts, a
 * directory whose verdicts follow what the test does to peers, after a delay.
 */
import { setImmediate } from "node:timers/promises";
import { createOwnership, type Ownership } from "../../daemon/ownership/ownership-service.ts";
import { createEngine } from "../../src/engine/engine.ts";
import { silentLogger, type Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry } from "../../src/model/journal.ts";
import type { PeerId, PeerState, PeerView } from "../../src/model/peer.ts";
import type { CommitBatch } from "../../src/store/ports.ts";
import { JOURNAL_PULL } from "../../src/wire/ownership-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import type { PeerDirectory, PeerEvent } from "../../src/wire/peer-directory.ts";
import { FakeHosts, type FakeHostOptions, type FakeStep } from "./fake-hosts.ts";
import { Durable, FakeStore } from "./fake-store.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./memory-network.ts";
import { SimulatedWorld } from "./simulation.ts";

export interface MeshOptions {
  readonly seed?: number;
  readonly peers?: readonly string[];
  readonly steps: Readonly<Record<string, FakeStep>>;
  readonly hosts?: FakeHostOptions;
  /** What one batch takes, ms of the mesh's time. */
  readonly batchMs?: number;
  readonly logger?: Logger;
  /** Alive in the directory, with no daemon: a test speaks for them. */
  readonly guests?: readonly string[];
  /** After each commit of any daemon. */
  readonly committed?: (name: string, batch: CommitBatch) => void;
  /** A fault built in, to see that the checks find it. */
  readonly mutant?: "appends-only" | "no-pulls";
}

/** From a peer's end to the others' knowledge of it. */
const DETECTION_MS = 300;
const LOOK_INTERVAL_MS = 50;

export class OwnershipMesh {
  readonly world: SimulatedWorld;
  readonly network: MemoryNetwork;
  readonly options: MeshOptions;
  readonly daemons = new Map<string, MeshDaemon>();
  readonly disks = new Map<string, Durable>();
  readonly names: readonly string[];
  /** Whose disks refuse every commit. */
  readonly full = new Set<string>();
  readonly #cuts = new Set<string>();

  constructor(options: MeshOptions) {
    this.options = options;
    this.world = new SimulatedWorld(options.seed ?? 1);
    const { clock, random } = this.world;
    this.network = createMemoryNetwork({ clock, random });
    this.network.delay(() => 0.1 + this.world.draw() * 3);
    const peers = options.peers ?? ["a", "b", "c"];
    this.names = [...peers, ...(options.guests ?? [])];
    for (const name of peers) this.disks.set(name, new Durable());
  }

  async start(name: string): Promise<MeshDaemon> {
    const daemon = new MeshDaemon(this, name);
    this.daemons.set(name, daemon);
    await daemon.start();
    this.noticeSoon();
    return daemon;
  }

  async startAll(): Promise<void> {
    for (const name of this.names) await this.start(name);
    await this.until(() => [...this.daemons.values()].every((daemon) => daemon.knowsAll()));
  }

  daemon(name: string): MeshDaemon {
    const daemon = this.daemons.get(name);
    if (daemon === undefined) throw new Error(`${name} is not running`);
    return daemon;
  }

  kill(name: string): void {
    const daemon = this.daemon(name);
    this.daemons.delete(name);
    this.network.kill(name as PeerId);
    daemon.die();
    this.noticeSoon();
  }

  cut(a: string, b: string): void {
    this.#cuts.add([a, b].sort().join(" "));
    this.network.cut(a as PeerId, b as PeerId);
    this.noticeSoon();
  }

  heal(): void {
    for (const pair of this.#cuts) {
      const [a, b] = pair.split(" ");
      this.network.heal(a as PeerId, b as PeerId);
    }
    this.#cuts.clear();
    this.noticeSoon();
  }

  reaches(a: string, b: string): boolean {
    const isUp = (name: string): boolean =>
      this.daemons.has(name) || this.options.guests?.includes(name) === true;
    return isUp(a) && isUp(b) && !this.#cuts.has([a, b].sort().join(" "));
  }

  /** Verdicts of membership, after its delay. */
  noticeSoon(): void {
    this.world.clock.after(DETECTION_MS, () => {
      for (const daemon of this.daemons.values()) daemon.directory.update();
    });
  }

  /** Lets time pass until `isSo`; throws where it is not so after `ms` of the mesh's time. */
  async until(isSo: () => boolean, ms = 120_000): Promise<void> {
    const { clock } = this.world;
    const end = clock.monotonic() + ms;
    const waiting = new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (isSo()) resolve();
        else if (clock.monotonic() > end) reject(new Error(`not so after ${ms} ms`));
        else clock.after(LOOK_INTERVAL_MS, look);
      };
      look();
    });
    await this.world.runUntil(waiting);
    return waiting;
  }

  async wait(ms: number): Promise<void> {
    const end = this.world.clock.monotonic() + ms;
    await this.until(() => this.world.clock.monotonic() >= end, ms + 1000);
  }

  /** Does what takes time in the mesh. */
  async does<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    await this.world.runUntil(work);
    return work;
  }

  journal(name: string, run: RunRef): readonly JournalEntry[] {
    return this.disks.get(name)?.journals.get(runText(run)) ?? [];
  }

  /** Running daemons that have any of the run's journal. */
  holders(run: RunRef): string[] {
    return [...this.daemons.keys()].filter((name) => this.journal(name, run).length > 0);
  }

  /** Where everybody stands, for a failed test's message. */
  portrait(run: RunRef): string {
    return this.names
      .map((name) => {
        const daemon = this.daemons.get(name);
        const owner = daemon?.ownership.ownerOf(run);
        const entries = this.journal(name, run);
        const owners = entries.flatMap((entry) =>
          entry.t === "owner-changed"
            ? [`${entry.owner.peer}${entry.owner.ballot}(${entry.keepers.join("")})`]
            : [],
        );
        const sees = daemon?.directory.peers().map((peer) => `${peer.id}:${peer.state}`);
        return `${name} ${daemon === undefined ? "dead" : ""} knows ${owner?.peer}${owner?.ballot} runs ${daemon?.ownership.handle(run) !== undefined} has ${entries.length} ${entries.at(-1)?.t} ${owners.join(" ")} sees ${sees?.join(" ")}`;
      })
      .join("\n");
  }

  owners(run: RunRef): string[] {
    const text = runText(run);
    return [...this.daemons]
      .filter(([, { ownership }]) => ownership.owned().some((owned) => runText(owned) === text))
      .map(([name]) => name);
  }

  /** Every running holder has the same journal, and it has an end. */
  isSettled(run: RunRef): boolean {
    const texts = this.holders(run).map((name) => JSON.stringify(this.journal(name, run)));
    const isEnded = this.holders(run).every(
      (name) => this.journal(name, run).at(-1)?.t === "run-finished",
    );
    return texts.length > 0 && isEnded && new Set(texts).size === 1;
  }
}

export class MeshDaemon {
  readonly name: string;
  readonly store: MeshStore;
  readonly directory: MeshDirectory;
  readonly ownership: Ownership;
  readonly hosts: FakeHosts;
  readonly #mesh: OwnershipMesh;
  readonly #transport;
  isDead = false;

  constructor(mesh: OwnershipMesh, name: string) {
    this.#mesh = mesh;
    this.name = name;
    const self = name as PeerId;
    const { clock, random } = mesh.world;
    this.store = new MeshStore(mesh, this);
    this.directory = new MeshDirectory(mesh, name);
    this.#transport = mesh.network.transport(self);
    const transport =
      mesh.options.mutant === "no-pulls" ? withoutPulls(this.#transport) : this.#transport;
    const { batchMs = 0 } = mesh.options;
    this.hosts = new FakeHosts(mesh.options.steps, {
      gate: async () => {
        await mesh.world.event("batch");
        if (batchMs > 0) await new Promise<void>((resolve) => clock.after(batchMs, resolve));
        if (this.isDead) await never();
      },
      ...mesh.options.hosts,
    });
    this.ownership = createOwnership({
      transport,
      directory: this.directory,
      store: this.store,
      exchange: { bring: (ids) => this.store.bring(ids) },
      createEngine: (store) =>
        createEngine({
          store,
          hosts: this.hosts,
          clock,
          random,
          logger: silentLogger,
          peer: name,
          capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
        }),
      clock,
      logger: mesh.options.logger ?? silentLogger,
      self,
      name,
    });
  }

  async start(): Promise<void> {
    await this.#transport.start();
    for (const other of this.#mesh.names)
      if (other !== this.name) this.#transport.keep(other as PeerId, []);
    await this.ownership.recover();
  }

  knowsAll(): boolean {
    return (
      this.directory.peers().filter(({ state }) => state === "alive").length ===
        this.#mesh.daemons.size &&
      this.#transport.connected().length === this.#mesh.daemons.size - 1
    );
  }

  /** Nothing of it happens any more; its disk stays as it is. */
  die(): void {
    this.isDead = true;
    this.ownership.close();
    for (const handle of this.ownership.engine.running()) handle.abandon("nobody");
  }
}

function withoutPulls(transport: Transport): Transport {
  const mutant = Object.create(transport) as Transport;
  return Object.assign(mutant, {
    request: (...args: Parameters<Transport["request"]>) =>
      args[1].name === JOURNAL_PULL.name ? Promise.resolve({}) : transport.request(...args),
    handle: transport.handle.bind(transport),
    listen: transport.listen.bind(transport),
    send: transport.send.bind(transport),
  });
}

async function never(): Promise<void> {
  await new Promise(() => undefined);
}

/** Reads through the mesh: what is not here is copied from a running peer that has it. */
export class MeshStore extends FakeStore {
  readonly #mesh: OwnershipMesh;
  readonly #daemon: MeshDaemon;

  constructor(mesh: OwnershipMesh, daemon: MeshDaemon) {
    super(mesh.disks.get(daemon.name));
    this.#mesh = mesh;
    this.#daemon = daemon;
  }

  override async commit(batch: CommitBatch): Promise<void> {
    if (this.#daemon.isDead) await never();
    await this.#mesh.world.event("commit");
    if (this.#daemon.isDead) await never();
    if (this.#mesh.full.has(this.#daemon.name))
      throw new MfError("STORE_FULL", { home: this.#daemon.name });
    const { mutant, committed } = this.#mesh.options;
    if (mutant === "appends-only" && batch.journal !== undefined) {
      const { from: _, ...journal } = batch.journal;
      await super.commit({ ...batch, journal });
    } else await super.commit(batch);
    committed?.(this.#daemon.name, batch);
  }

  override async read(id: Cid): Promise<Uint8Array> {
    await this.bring([id]);
    return super.read(id);
  }

  async bring(ids: readonly Cid[]): Promise<void> {
    if (this.#daemon.isDead) await never();
    await setImmediate();
    for (const id of ids) {
      if (this.durable.contents.has(id)) continue;
      const holder = [...this.#mesh.daemons.keys()].find(
        (name) =>
          this.#mesh.reaches(this.#daemon.name, name) &&
          this.#mesh.disks.get(name)?.contents.has(id) === true,
      );
      const data =
        holder === undefined ? undefined : this.#mesh.disks.get(holder)?.contents.get(id);
      if (data === undefined) throw new MfError("CONTENT_MISSING", { id });
      this.durable.contents.set(id, data);
    }
  }
}

export class MeshDirectory implements PeerDirectory {
  readonly self: PeerId;
  readonly #mesh: OwnershipMesh;
  readonly #states = new Map<string, PeerState>();
  readonly #listeners = new Set<(event: PeerEvent) => void>();

  constructor(mesh: OwnershipMesh, name: string) {
    this.#mesh = mesh;
    this.self = name as PeerId;
    this.#states.set(name, "alive");
  }

  peers(): readonly PeerView[] {
    return [...this.#states].map(([name, state]) => this.#view(name, state));
  }

  get(peer: PeerId): PeerView | undefined {
    const state = this.#states.get(peer);
    return state === undefined ? undefined : this.#view(peer, state);
  }

  subscribe(listener: (event: PeerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  update(): void {
    for (const name of this.#mesh.names) {
      const was = this.#states.get(name);
      const isThere = name === this.self || this.#mesh.reaches(this.self, name);
      const state = isThere ? "alive" : "dead";
      if (was === state || (was === undefined && !isThere)) continue;
      this.#states.set(name, state);
      for (const listener of this.#listeners)
        listener({ t: "changed", peer: this.#view(name, state), was });
    }
  }

  #view(name: string, state: PeerState): PeerView {
    return {
      id: name as PeerId,
      isSelf: name === this.self,
      state,
      addresses: [],
      isConnected: state === "alive",
      profile: {
        name,
        version: "1",
        roles: ["submit", "store", "work"],
        labels: {},
        platform: "linux-x64",
        abi: "115",
      },
    };
  }
}
