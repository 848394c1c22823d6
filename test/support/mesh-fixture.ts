/** Several peers in one process: real engines and placement over the memory network, with fake stores and step hosts. */
import { createHash } from "node:crypto";
import { createMeshHosts, type MeshHosts } from "../../daemon/placement/mesh-hosts.ts";
import { KnownFacts } from "../../daemon/sharing/known-facts.ts";
import { MeshSharing } from "../../daemon/sharing/mesh-sharing.ts";
import { decodeValue } from "../../src/artifact/codec.ts";
import { INLINE_BYTES_MAX } from "../../src/artifact/content.ts";
import { createEngine } from "../../src/engine/engine.ts";
import type { RunBatchOptions } from "../../src/engine/ports.ts";
import type { Engine, RunHandle, RunRequest } from "../../src/engine/run-api.ts";
import { taskOutputs } from "../../src/engine/lookup/run-outputs.ts";
import { delay, systemClock, type Clock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom, type Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid, RunRef } from "../../src/model/ids.ts";
import type { PeerId, PeerState, PeerView } from "../../src/model/peer.ts";
import type { AttemptBatch, BatchResult } from "../../src/task/host-messages.ts";
import { keyPairOf, peerIdOf } from "../../src/trust/ed25519.ts";
import type { FactSigner } from "../../src/trust/fact-page.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import type { PeerDirectory, PeerEvent } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { flowPackage, type FlowFixture } from "./engine-fixture.ts";
import { FakeHosts, type FakeHostOptions, type FakeStep } from "./fake-hosts.ts";
import { FakeStore } from "./fake-store.ts";
import { createMemoryNetwork, type MemoryNetwork } from "./memory-network.ts";

export interface MeshPeerOptions {
  readonly slots?: number;
  /** Of each attempt. */
  readonly taskMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly hosts?: Partial<FakeHostOptions>;
  /** Its name is then the id that the key proves. */
  readonly signer?: FactSigner;
}

export interface MeshFixtureOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly turn?: () => Promise<void>;
  readonly ballotOf?: (peer: string, run: RunRef) => number;
  /** Facts of others are used, and runs of one memo key share an execution. */
  readonly isSharing?: boolean;
}

/** What is too large to travel stays in the store of whoever made it. */
class WarmFakeHosts extends FakeHosts {
  readonly #store: FakeStore;
  readonly #taskMs: number;

  constructor(
    { store, taskMs }: { store: FakeStore; taskMs: number },
    ...rest: ConstructorParameters<typeof FakeHosts>
  ) {
    super(...rest);
    this.#store = store;
    this.#taskMs = taskMs;
  }

  override async runBatch(batch: AttemptBatch, options: RunBatchOptions): Promise<BatchResult> {
    const { outcomes } = await super.runBatch(batch, options);
    return {
      outcomes: outcomes.map((outcome) => {
        if (outcome.outputs === undefined) return outcome;
        const wallMs = this.#taskMs === 0 ? outcome.wallMs : this.#taskMs;
        const outputs = Object.entries(outcome.outputs).map(([name, { ref, data }]) => {
          if (data === undefined || data.length <= INLINE_BYTES_MAX) return [name, { ref, data }];
          this.#store.durable.contents.set(ref.id, data);
          return [name, { ref }];
        });
        return {
          ...outcome,
          wallMs,
          outputs: Object.fromEntries(outputs) as typeof outcome.outputs,
        };
      }),
    };
  }

  warm(): void {
    // There is no process to start.
  }
}

export interface MeshPeer {
  readonly id: PeerId;
  readonly name: string;
  readonly store: FakeStore;
  readonly fake: WarmFakeHosts;
  readonly hosts: MeshHosts;
  readonly engine: Engine;
  readonly sharing: MeshSharing;
  readonly transport: Transport;
  /** Content that came from elsewhere. */
  readonly brought: Cid[];
  start(fixture: FlowFixture, request?: Partial<RunRequest>): Promise<RunHandle>;
}

export class MeshFixture {
  readonly network: MemoryNetwork;
  readonly peers = new Map<string, MeshPeer>();
  readonly #options: MeshFixtureOptions;
  readonly #steps: Readonly<Record<string, FakeStep>>;
  readonly #states = new Map<string, PeerState>();
  readonly #labels = new Map<string, Readonly<Record<string, string>>>();
  readonly #listeners = new Map<string, Set<(event: PeerEvent) => void>>();

  constructor(steps: Readonly<Record<string, FakeStep>>, options: MeshFixtureOptions = {}) {
    this.#steps = steps;
    this.#options = options;
    const { clock, random } = options;
    this.network = createMemoryNetwork({
      ...(clock === undefined ? {} : { clock }),
      ...(random === undefined ? {} : { random }),
    });
  }

  get clock(): Clock {
    return this.#options.clock ?? systemClock;
  }

  /** Again for one that is there: its process was restarted, its disk is the same. */
  async add(name: string, options: MeshPeerOptions = {}): Promise<MeshPeer> {
    const id = name as PeerId;
    const { slots = 2, taskMs = 0, hosts: script = {} } = options;
    const { clock } = this;
    const random = this.#options.random ?? systemRandom;
    const former = this.peers.get(name);
    const disk = new FakeStore(former?.store.durable);
    const brought: Cid[] = [];
    const gate = async (batch: AttemptBatch, run: RunBatchOptions): Promise<void> => {
      if (taskMs > 0) await delay(clock, taskMs * batch.attempts.length, run.signal);
      await script.gate?.(batch, run);
    };
    const fake = new WarmFakeHosts({ store: disk, taskMs }, this.#steps, {
      slots,
      ...script,
      ...(taskMs > 0 || script.gate !== undefined ? { gate } : {}),
    });
    const transport = this.network.transport(id);
    this.#listeners.set(name, new Set());
    this.#labels.set(name, options.labels ?? {});
    const { signer } = options;
    const signing = signer === undefined ? {} : { signer };
    const deps = { store: disk, clock, random, logger: silentLogger, ...signing };
    const hosts = createMeshHosts({
      ...deps,
      transport,
      directory: this.#directory(name),
      local: fake,
      exchange: this.#exchange(disk, brought),
      name,
      capacity: { cores: slots, memBytes: 8e9, gpus: 0 },
      makeDirectory: () => Promise.resolve(),
      ballotOf: (run) => this.#options.ballotOf?.(name, run) ?? 1,
    });
    const { turn } = this.#options;
    const known = new KnownFacts();
    const store = known.watching(disk);
    await known.count(disk);
    const directory = this.#directory(name);
    const sharing = new MeshSharing({ ...deps, store, transport, directory, known });
    const engine = createEngine({
      ...deps,
      hosts,
      peer: name,
      capacity: { cores: slots, memBytes: 8e9, gpus: 0 },
      limits: hosts.limits,
      ...(turn === undefined ? {} : { turn }),
      // Nobody takes a fact of another that is not signed.
      ...(this.#options.isSharing === true
        ? { store, sharing, signer: signer ?? signerOf(name) }
        : {}),
    });
    const start = (fixture: FlowFixture, request: Partial<RunRequest> = {}): Promise<RunHandle> =>
      engine.start(flowPackage(fixture), { params: {}, user: "ada", ...request });
    const peer = {
      id,
      name,
      store: disk,
      fake,
      hosts,
      engine,
      sharing,
      transport,
      brought,
      start,
    };
    this.peers.set(name, peer);
    this.#states.set(name, "alive");
    for (const other of this.peers.keys()) if (other !== name) transport.keep(other as PeerId, []);
    for (const other of this.peers.values()) if (other.id !== id) other.transport.keep(id, []);
    await transport.start();
    this.#tell(name, former === undefined ? undefined : { t: "restarted", peer: id }, "dead");
    return peer;
  }

  /** A member that answers as the test says: looks like any other to the rest. */
  async addLiar(name: string): Promise<Transport> {
    const transport = this.network.transport(name as PeerId);
    this.#listeners.set(name, new Set());
    this.#states.set(name, "alive");
    for (const other of this.peers.values()) {
      transport.keep(other.id, []);
      other.transport.keep(name as PeerId, []);
    }
    await transport.start();
    return transport;
  }

  /** Its process ends at once. @param isNoticed the others are told so */
  kill(name: string, isNoticed = true): void {
    const peer = this.peers.get(name);
    this.network.kill(name as PeerId);
    void peer?.hosts.close();
    peer?.sharing.close();
    this.#listeners.get(name)?.clear();
    if (!isNoticed) return;
    this.#states.set(name, "dead");
    this.#tell(name, { t: "gone", peer: name as PeerId }, "alive");
  }

  setState(name: string, state: PeerState): void {
    const was = this.#states.get(name);
    this.#states.set(name, state);
    this.#tell(name, undefined, was);
  }

  close(): void {
    for (const peer of this.peers.values()) {
      this.network.kill(peer.id);
      void peer.hosts.close();
      peer.sharing.close();
    }
  }

  async answer(peer: MeshPeer, run: RunRef, step: string): Promise<unknown[]> {
    const tasks = await taskOutputs(peer.store, run, step);
    return tasks.map(({ fact }) => {
      const id = Object.values(fact.outputs)[0]?.id as Cid;
      const held = [...this.peers.values()].find(({ store }) => store.durable.contents.has(id));
      return decodeValue(held?.store.durable.contents.get(id) as Uint8Array);
    });
  }

  /** Attempts begun, by peer. */
  executed(): Record<string, number> {
    return Object.fromEntries(
      [...this.peers.values()].map(({ name, fake }) => [name, fake.executedCount]),
    );
  }

  #tell(name: string, event: PeerEvent | undefined, was: PeerState | undefined): void {
    for (const [listener, all] of this.#listeners) {
      if (listener === name) continue;
      for (const tell of all) {
        if (event !== undefined) tell(event);
        tell({ t: "changed", peer: this.#view(name, listener), was });
      }
    }
  }

  #view(name: string, asker: string): PeerView {
    const peer = this.peers.get(name);
    const load = peer?.hosts.load();
    const slots = { total: load?.slots.total ?? 2, busy: load?.slots.busy ?? 0 };
    return {
      id: name as PeerId,
      isSelf: name === asker,
      state: this.#states.get(name) ?? "dead",
      addresses: [],
      isConnected: true,
      profile: {
        name,
        version: "1",
        roles: ["work", "submit", "store"],
        labels: this.#labels.get(name) ?? {},
        platform: "linux-x64",
        abi: "1",
      },
      load: {
        cpus: slots.total,
        cpuBusy: 0,
        memBytes: 8e9,
        memFreeBytes: 8e9,
        gpus: [],
        diskFreeBytes: 1e12,
        store: "rw",
        slots,
        queue: load?.queue ?? 0,
        loopDelayMs: 0,
        isAccepting: load?.isAccepting ?? true,
      },
    };
  }

  #directory(name: string): PeerDirectory {
    return {
      self: name as PeerId,
      peers: () => [...this.#states.keys()].map((other) => this.#view(other, name)),
      get: (peer) => (this.#states.has(peer) ? this.#view(peer, name) : undefined),
      subscribe: (listener) => {
        const all = this.#listeners.get(name) ?? new Set();
        all.add(listener);
        this.#listeners.set(name, all);
        return () => all.delete(listener);
      },
    };
  }

  #exchange(store: FakeStore, brought: Cid[]): ContentExchange {
    const holdersOf = (id: Cid): MeshPeer[] =>
      [...this.peers.values()].filter(
        ({ name, store: other }) =>
          this.#states.get(name) === "alive" && other.durable.contents.has(id),
      );
    return {
      bring: async (ids) => {
        await Promise.resolve();
        for (const id of ids) {
          const data = holdersOf(id)[0]?.store.durable.contents.get(id);
          if (data === undefined) throw new MfError("CONTENT_MISSING", { id });
          if (!store.durable.contents.has(id)) brought.push(id);
          store.durable.contents.set(id, data);
        }
      },
      holders: async (ids) =>
        new Map(ids.map((id) => [id, holdersOf(id).map((holder) => holder.id)] as const)),
      spread: () => undefined,
    };
  }
}

/** The same for each seed. */
export function signerOf(name: string): FactSigner {
  const seed = createHash("sha256").update(name).digest();
  const keys = keyPairOf(new Uint8Array(seed));
  return { peerId: peerIdOf(keys.publicKey), sign: (data) => keys.sign(data) };
}
