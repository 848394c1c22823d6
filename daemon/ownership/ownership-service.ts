/**
 * Ownership of runs in this daemon: gives the engine its store, answers owners and keepers, watches peers, and holds one custody
 * for each run that goes on here or is kept here. See README for who does what when.
 */
import type { FlowPackage } from "../../src/code/flow-package.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Engine, RunHandle, RunRequest } from "../../src/engine/run-api.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { RunOwner, RunSummary } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { defined } from "../../src/std/assert.ts";
import type { CommitBatch, Store } from "../../src/store/ports.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import {
  JOURNAL_PULL,
  RUN_APPEND,
  RUN_KEEP,
  RUN_OWN,
  RUN_OWNER,
  RUN_STATE,
  RUN_TELL,
  type JournalPage,
  type OwnerNotice,
} from "../../src/wire/ownership-protocol.ts";
import { othersAlive, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { compareOwners } from "./journal-agreement.ts";
import { JournalCopy } from "./journal-copy.ts";
import { ENDED_HOLD_MS, KEEPERS_COUNT, KEPT_RUNS_MAX, SUBMIT_WAIT_MS } from "./ownership-limits.ts";
import { owningStore } from "./owning-store.ts";
import { PeerWatch } from "./peer-watch.ts";
import { RunCustody, type CustodyDeps, type CustodyOptions } from "./run-custody.ts";

export interface OwnershipDeps {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  /** This daemon's store; one that brings what it lacks when it reads. */
  readonly store: Store;
  readonly exchange: Pick<ContentExchange, "bring">;
  /** Makes the engine over the store that ownership gives it. */
  readonly createEngine: (store: Store) => Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly self: PeerId;
  readonly name: string;
  /** How much a peer should keep, 1 being usual. @default 1 for all */
  readonly weightOf?: (peer: PeerId) => number;
  /** Asked before a run that was taken over goes on: who works on what. */
  readonly beforeResume?: (run: RunRef, ballot: number) => Promise<void>;
}

export interface Submitted {
  readonly handle: RunHandle;
  /** Peers that could finish the run, this one included. */
  readonly copies: number;
  readonly keepers: readonly PeerId[];
}

export interface Ownership {
  readonly engine: Engine;
  readonly store: Store;
  /** Starts the run here; resolves when its keepers have it, or after 5 s with as many as have. */
  submit(flowPackage: FlowPackage, request: RunRequest): Promise<Submitted>;
  /** Takes up what the store says of runs that go on: those owned here, those kept here. Call it once, when messages can be sent. */
  recover(): Promise<void>;
  owned(): readonly RunRef[];
  handle(run: RunRef): RunHandle | undefined;
  /** The run's owner as far as this peer knows. */
  ownerOf(run: RunRef): RunOwner | undefined;
  /** False where no keeper took it. */
  handOver(run: RunRef): Promise<boolean>;
  /** Before a stop or while draining: gives away every run. Returns those that nobody took. */
  handOverAll(): Promise<readonly RunRef[]>;
  /** Stops watching; runs that go on are left to their keepers. */
  close(): void;
}

export function createOwnership(deps: OwnershipDeps): Ownership {
  return new OwnershipService(deps);
}

class OwnershipService implements Ownership {
  readonly engine: Engine;
  readonly store: Store;
  readonly #deps: OwnershipDeps;
  readonly #peers: PeerWatch;
  readonly #custodyDeps: CustodyDeps;
  readonly #custodies = new Map<string, RunCustody>();
  readonly #opening = new Map<string, Promise<RunCustody | undefined>>();
  #isClosed = false;

  constructor(deps: OwnershipDeps) {
    this.#deps = deps;
    this.store = owningStore(deps.store, { commit: (run, batch) => this.#commit(run, batch) });
    this.engine = deps.createEngine(this.store);
    const { self, name, store, transport, exchange, clock, logger } = deps;
    this.#custodyDeps = {
      self,
      name,
      store,
      transport,
      exchange,
      clock,
      logger,
      engine: () => this.engine,
      everybody: () => othersAlive(deps.directory).map((peer) => peer.id),
      beforeResume: deps.beforeResume ?? (async () => undefined),
      forget: (custody) => this.#forget(custody),
    };
    this.#peers = new PeerWatch(deps.directory, {
      self,
      weightOf: deps.weightOf ?? (() => 1),
      changed: () => {
        for (const custody of this.#custodies.values())
          custody.accept({ t: "peers-changed", peers: this.#peers.now(custody.run) });
      },
    });
    this.#listen(transport);
  }

  async submit(flowPackage: FlowPackage, request: RunRequest): Promise<Submitted> {
    const handle = await this.engine.start(flowPackage, request);
    const custody = defined(this.#custodies.get(runText(handle.run)), "custody of a new run");
    custody.going.watch(handle);
    const wanted = Math.min(KEEPERS_COUNT, this.#peers.now(handle.run).ranked.length);
    await custody.when(
      () => custody.state.storedCount >= wanted || custody.state.isOver,
      SUBMIT_WAIT_MS,
    );
    return { handle, copies: 1 + custody.state.storedCount, keepers: custody.state.keepers };
  }

  async recover(): Promise<void> {
    const { store, clock } = this.#deps;
    for (const summary of await store.runs()) {
      if (goesOn(summary)) await this.#open(summary.run);
      else if (this.#mayBeUntold(summary, clock.now())) await this.#tellEnd(summary.run);
    }
  }

  owned(): readonly RunRef[] {
    return [...this.#custodies.values()]
      .filter((custody) => custody.isOwning && !custody.copy.view.hasEnded)
      .map((custody) => custody.run);
  }

  handle(run: RunRef): RunHandle | undefined {
    const text = runText(run);
    return this.engine.running().find((handle) => runText(handle.run) === text);
  }

  ownerOf(run: RunRef): RunOwner | undefined {
    return this.#custodies.get(runText(run))?.owner;
  }

  async handOver(run: RunRef): Promise<boolean> {
    return (await this.#custodies.get(runText(run))?.handOver()) ?? false;
  }

  async handOverAll(): Promise<readonly RunRef[]> {
    const runs = this.owned();
    const taken = await Promise.all(runs.map((run) => this.handOver(run)));
    return runs.filter((_, position) => taken[position] !== true);
  }

  close(): void {
    this.#isClosed = true;
    this.#peers.close();
    for (const custody of this.#custodies.values()) custody.close();
    this.#custodies.clear();
  }

  async #commit(run: RunRef, batch: CommitBatch): Promise<void> {
    const custody = this.#custodies.get(runText(run));
    if (custody !== undefined) return custody.commit(batch);
    if (batch.journal?.entries[0]?.t === "run-started") return this.#begin(run, batch);
    // The engine has let go of it long ago: what it made is kept, what it says of the run is not.
    const { journal: _, summary: __, ...made } = batch;
    return this.#deps.store.commit(made);
  }

  async #begin(run: RunRef, batch: CommitBatch): Promise<void> {
    const { self: peer, name, store, clock } = this.#deps;
    const owner = {
      t: "owner-changed" as const,
      at: clock.now(),
      owner: { peer, name, ballot: 1 },
      keepers: this.#peers.now(run).ranked.slice(0, KEEPERS_COUNT),
    };
    const copy = new JournalCopy(run, store);
    copy.expect(owner);
    const custody = this.#hold({ copy, peers: this.#peers.now(run), role: "owner" });
    try {
      await custody.begin(batch, owner);
    } catch (error) {
      this.#forget(custody);
      throw error;
    }
    custody.grew();
  }

  #hold(options: CustodyOptions): RunCustody {
    const custody = new RunCustody(this.#custodyDeps, options);
    this.#custodies.set(runText(custody.run), custody);
    return custody;
  }

  #forget(custody: RunCustody): void {
    custody.close();
    const text = runText(custody.run);
    if (this.#custodies.get(text) === custody) this.#custodies.delete(text);
  }

  /** The custody of a run that is stored here, loaded where it is not in memory. Calls for one run share the loading. */
  #open(run: RunRef): Promise<RunCustody | undefined> {
    const text = runText(run);
    const held = this.#custodies.get(text);
    if (held !== undefined) return Promise.resolve(held);
    let opening = this.#opening.get(text);
    if (opening === undefined) {
      opening = this.#load(run).finally(() => this.#opening.delete(text));
      this.#opening.set(text, opening);
    }
    return opening;
  }

  async #load(run: RunRef): Promise<RunCustody | undefined> {
    const copy = await JournalCopy.load(run, this.#deps.store);
    const begun = this.#custodies.get(runText(run));
    if (begun !== undefined) return begun;
    const { view, by } = copy.state;
    if (view.length === 0 || this.#isClosed) return undefined;
    const role = by?.peer === this.#deps.self && !view.hasEnded ? "former" : "holder";
    return this.#hold({ copy, peers: this.#peers.now(run), role });
  }

  /** It ended here not long ago, and this daemon may have stopped before everybody knew. */
  #mayBeUntold({ owner, finishedAt }: RunSummary, now: number): boolean {
    if (owner?.peer !== this.#deps.self || finishedAt === undefined) return false;
    return now - finishedAt < ENDED_HOLD_MS;
  }

  async #tellEnd(run: RunRef): Promise<void> {
    const copy = await JournalCopy.load(run, this.#deps.store);
    if (this.#custodies.has(runText(run)) || !copy.view.hasEnded) return;
    this.#hold({ copy, peers: this.#peers.now(run), role: "owner" });
  }

  #listen(transport: Transport): void {
    transport.handle(RUN_APPEND, (from, page) => this.#receive(from, page));
    transport.handle(RUN_KEEP, async (from, { run }) => {
      if (await this.#isRemoved(run)) return { isStored: true };
      const custody = await this.#open(run);
      if (custody === undefined) return { isStored: false };
      await this.#deps.exchange.bring(custody.copy.content, { hints: [from] });
      return { isStored: true };
    });
    transport.handle(RUN_STATE, async (_, { run }) => {
      const custody = await this.#open(run);
      if (custody === undefined) return { isKnown: false };
      return { isKnown: true, by: custody.owner, view: custody.copy.view };
    });
    transport.handle(JOURNAL_PULL, async (_, { run, view }) => {
      const custody = await this.#open(run);
      return custody === undefined ? {} : { page: await custody.answerPage(view) };
    });
    transport.handle(RUN_OWN, async (from, { run }) => {
      const custody = await this.#open(run);
      const by = await custody?.takeFrom(from);
      return by === undefined ? {} : { by };
    });
    transport.handle(RUN_TELL, async (_, notice) => {
      const by = await this.#ownerTold(notice);
      return by === undefined ? {} : { by };
    });
    transport.listen(RUN_OWNER, (from, notice) => {
      this.#ownerTold(notice, from).catch((error: unknown) => {
        const run = runText(notice.run);
        this.#deps.logger.warn("ownership-notice-failed", { run, from, message: String(error) });
      });
    });
  }

  async #receive(from: PeerId, page: JournalPage): Promise<{ length: number }> {
    // Its sender was away when it was removed. Nothing of it comes back, and nobody has to go on trying.
    if (await this.#isRemoved(page.run)) return { length: page.from + page.entries.length };
    const known = await this.#open(page.run);
    if (known !== undefined) return known.receive(from, page);
    if (this.#isClosed || this.#custodies.size >= KEPT_RUNS_MAX)
      throw new MfError("NOT_AVAILABLE", {
        what: "keeping another run",
        hint: "Try another peer.",
      });
    // A run nobody here has heard of: from its beginning, or not at all.
    if (page.from > 0 || page.entries[0]?.t !== "run-started") return { length: 0 };
    const copy = new JournalCopy(page.run, this.#deps.store);
    const peers = this.#peers.now(page.run);
    return this.#hold({ copy, peers, role: "holder" }).receive(from, page);
  }

  /** Of runs that are held in memory nobody asks: they go on, or ended a moment ago. */
  async #isRemoved(run: RunRef): Promise<boolean> {
    if (this.#custodies.has(runText(run))) return false;
    const [isGone] = await this.#deps.store.areGone([run]);
    return isGone === true;
  }

  /** Also of runs that are no longer in memory: the two sides of a partition may both have ended one. The highest owner known now. */
  async #ownerTold({ run, by }: OwnerNotice, from?: PeerId): Promise<RunOwner | undefined> {
    const answer = from === undefined ? {} : { from };
    const held = this.#custodies.get(runText(run));
    if (held !== undefined) {
      held.accept({ t: "owner-told", by, ...answer });
      return held.owner;
    }
    const owner = (await this.#deps.store.getRun(run))?.owner;
    if (owner === undefined || compareOwners(by, owner) <= 0) return owner;
    const custody = await this.#open(run);
    custody?.accept({ t: "owner-told", by });
    return custody?.owner;
  }
}

/** It belongs to the mesh and has not ended. */
function goesOn({ owner, state }: RunSummary): boolean {
  return owner !== undefined && (state === "running" || state === "waiting");
}
