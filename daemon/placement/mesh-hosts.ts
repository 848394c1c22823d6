/**
 * The HostPool of the whole mesh, as the engine of a daemon has it: batches run wherever there is room for them and most of their
 * inputs. Beside it this peer serves the batches of others.
 */
import { mkdir } from "node:fs/promises";
import type { PythonCode } from "../../src/code/flow-package.ts";
import type { WarmableHostPool } from "../../src/engine/hosts/host-pool.ts";
import type {
  HostPool,
  PlacedBatchOptions,
  SplitRequest,
  SplitResult,
} from "../../src/engine/ports.ts";
import type { Capacity, MeshLimits } from "../../src/engine/scheduler/admission.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { Cid, RunRef } from "../../src/model/ids.ts";
import type { LoadRecord } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import type { AttemptBatch, BatchResult } from "../../src/task/host-messages.ts";
import type { FactSigner } from "../../src/trust/fact-page.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import type { PeerDirectory, PeerEvent } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { CodeShelf } from "./code-shelf.ts";
import { meshTotals, unmetByAll, type MeshTotals } from "./feasible-peers.ts";
import { OwnerService } from "./owner-service.ts";
import { PeerBook } from "./peer-book.ts";
import { adoptLeases, askWhoWorks, type PeerWork, type RunAdoptionDeps } from "./run-adoption.ts";
import { Whereabouts } from "./whereabouts.ts";
import { WorkerService } from "./worker-service.ts";

export interface MeshHostsDeps {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  readonly local: WarmableHostPool;
  readonly exchange: ContentExchange;
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** This peer's name, under which facts are made. */
  readonly name: string;
  /** Vouches for them, and so must every other peer; without it, nobody does. */
  readonly signer?: FactSigner;
  /** What this daemon may use of its machine. */
  readonly capacity: Capacity;
  /** Ballot under which this peer owns the run; workers obey no lower one. */
  ballotOf(run: RunRef): number;
  /** @default mkdir of node:fs; a simulator has none */
  readonly makeDirectory?: (path: string) => Promise<void>;
}

export interface MeshHosts extends HostPool {
  readonly bringsContent: true;
  /** For `EngineDeps.limits`. */
  readonly limits: MeshLimits;
  /** For this peer's LoadRecord. */
  load(): Pick<LoadRecord, "slots" | "queue" | "isAccepting">;
  /** A run is about to begin here: its first batch finds the own step host ready. Not where nothing may begin. */
  warm(): void;
  /** What of a run runs elsewhere; from now on those peers obey no owner with a lower ballot. @throws MfError PEER_FENCED */
  whoWorks(run: RunRef, ballot?: number): Promise<PeerWork[]>;
  /** Batches that name one of these tasks attach to the attempt that runs. Before the run is resumed. */
  adopt(run: RunRef, working: readonly PeerWork[], ballot?: number): Promise<void>;
  /** Takes nothing new; resolves when nothing runs here and every outcome is with its owner. */
  drain(): Promise<void>;
}

export function createMeshHosts(deps: MeshHostsDeps): MeshHosts {
  return new PlacedHosts(deps);
}

class PlacedHosts implements MeshHosts {
  readonly bringsContent = true;
  readonly limits: MeshLimits;
  readonly #deps: MeshHostsDeps;
  readonly #book: PeerBook;
  readonly #worker: WorkerService;
  readonly #owner: OwnerService;
  readonly #adoption: RunAdoptionDeps;
  readonly #whereabouts = new Whereabouts();
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: () => void;
  #totals: MeshTotals | undefined;

  constructor(deps: MeshHostsDeps) {
    this.#deps = deps;
    const { transport, directory, local, name } = deps;
    const { slots } = local;
    // Whoever gives a daemon more slots than cores means it.
    const capacity = { ...deps.capacity, cores: Math.max(deps.capacity.cores, slots) };
    const book = new PeerBook({ directory, name, capacity, slots });
    const shelf = new CodeShelf(transport);
    this.#book = book;
    this.#worker = new WorkerService({
      ...deps,
      shelf,
      makeDirectory: deps.makeDirectory ?? makeDirectory,
      totals: { slots, capacity },
      machineNow: () => book.machineNow(),
      viewOf: (peer) => directory.get(peer),
      pulledHere: (room) => this.#owner.pulledHere(room),
      handInHere: (message) => this.#owner.handedIn(directory.self, message),
    });
    this.#owner = new OwnerService({
      ...deps,
      book,
      worker: this.#worker,
      shelf,
      whereabouts: this.#whereabouts,
      mustSign: deps.signer !== undefined,
      ballotOf: (run) => deps.ballotOf(run),
    });
    this.#adoption = {
      ...deps,
      worker: this.#worker,
      accept: (event) => this.#owner.accept(event),
    };
    this.limits = {
      totals: () => this.#totalsNow().capacity,
      slots: () => this.#totalsNow().slots,
      unmet: (resources, labels) => unmetByAll(book.peers(), resources, labels),
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    this.#unsubscribe = directory.subscribe((event) => this.#heard(event));
  }

  get slots(): number {
    return this.#totalsNow().slots;
  }

  runBatch(batch: AttemptBatch, options: PlacedBatchOptions): Promise<BatchResult> {
    return this.#owner.runBatch(batch, options);
  }

  splitContent(request: SplitRequest): Promise<SplitResult> {
    return this.#deps.local.splitContent(request);
  }

  pythonEnvironment(code: PythonCode, step: string): Promise<string> {
    return this.#deps.local.pythonEnvironment(code, step);
  }

  bring(ids: readonly Cid[]): Promise<void> {
    const hints = [...new Set(ids.flatMap((id) => this.#whereabouts.holders(id)))];
    return this.#deps.exchange.bring(ids, { hints });
  }

  load(): Pick<LoadRecord, "slots" | "queue" | "isAccepting"> {
    const { runningCount, queuedCount } = this.#worker;
    return {
      slots: { total: this.#deps.local.slots, busy: runningCount },
      queue: queuedCount,
      isAccepting: !this.#book.isDraining,
    };
  }

  warm(): void {
    if (!this.#book.isDraining) this.#deps.local.warm();
  }

  whoWorks(run: RunRef, ballot = this.#deps.ballotOf(run)): Promise<PeerWork[]> {
    return askWhoWorks(this.#adoption, run, ballot);
  }

  adopt(
    run: RunRef,
    working: readonly PeerWork[],
    ballot = this.#deps.ballotOf(run),
  ): Promise<void> {
    return adoptLeases(this.#adoption, { run, ballot }, working);
  }

  async drain(): Promise<void> {
    this.#book.isDraining = true;
    this.#totals = undefined;
    this.#owner.accept({ t: "peers-changed" });
    await this.#worker.drain();
  }

  /** At once: what runs here is killed, and nobody is told anything any more. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#listeners.clear();
    this.#owner.close();
    this.#worker.close();
    await this.#deps.local.close();
  }

  #totalsNow(): MeshTotals {
    this.#totals ??= meshTotals(this.#book.peers());
    return this.#totals;
  }

  #heard(event: PeerEvent): void {
    const peer = event.t === "changed" ? event.peer.id : event.peer;
    if (event.t === "changed") {
      const { state } = event.peer;
      if (state === "dead" || state === "left") this.#lost(peer, `it is ${state}`);
      else if (state === "alive" && event.was !== "alive") this.#worker.ownerBack(peer);
    } else this.#lost(peer, event.t === "gone" ? "its process is gone" : "it was restarted");
    const before = this.#totals;
    this.#totals = undefined;
    this.#owner.accept({ t: "peers-changed" });
    if (before === undefined || this.#totalsNow().slots > before.slots)
      for (const listener of this.#listeners) listener();
  }

  #lost(peer: PeerWork["peer"], reason: string): void {
    if (peer === this.#book.self) return;
    this.#worker.ownerGone(peer);
    this.#owner.accept({ t: "peer-lost", peer, reason });
  }
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
}
