/**
 * The worker's side: performs what the ledger (worker-machine.ts) admits, for this peer's own runs and for those of others, and keeps
 * what came of it until the owner has it.
 */
import { join } from "node:path";
import { logFileOf } from "../../src/engine/run/log-file.ts";
import type { Logger } from "../../src/env/logger.ts";
import { MfError, toErrorRecord } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import type { AttemptOutcome, BatchResult } from "../../src/task/host-messages.ts";
import {
  ADOPT,
  CANCEL,
  GRANT,
  NOTHING,
  PROBE,
  PROGRESS_MAX,
  PULL,
  RENEW,
  WHO_WORKS,
  type Grant,
  type GrantAnswer,
  type HandedIn,
  type WorkingLease,
} from "../../src/wire/placement-protocol.ts";
import type { Room } from "../../src/wire/placement-values.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { BatchExecution, type ExecutionDeps, type Prepared } from "./batch-execution.ts";
import { BallotFence } from "./ballot-fence.ts";
import { decodeGrant, encodeOutcomes } from "./grant-codec.ts";
import { Outbox } from "./outbox.ts";
import { NO_ROOM } from "./peer-account.ts";
import { PROGRESS_INTERVAL_MS, RENEW_INTERVAL_MS, STORE_PAUSE_MS } from "./placement-limits.ts";
import {
  WorkerMachine,
  type MachineNow,
  type WorkerEvent,
  type WorkerNeed,
  type WorkerTotals,
} from "./worker-machine.ts";
import { cancelledOutcomes, NotRun, type Work } from "./work.ts";

export interface WorkerServiceDeps extends ExecutionDeps {
  readonly transport: Transport;
  readonly logger: Logger;
  readonly totals: WorkerTotals;
  machineNow(): MachineNow;
  viewOf(peer: PeerId): PeerView | undefined;
  /** There is room for this peer's own batches, too. */
  pulledHere(room: Room): void;
  /** Outcomes of a run that this peer took over. */
  handInHere(message: HandedIn): { readonly verdict: "taken" | "unknown" };
}

export interface OwnedRun {
  readonly run: RunRef;
  readonly ballot: number;
}

export class WorkerService {
  readonly #deps: WorkerServiceDeps;
  readonly #machine: WorkerMachine;
  readonly #execution: BatchExecution;
  readonly #outbox: Outbox;
  readonly #fence = new BallotFence();
  readonly #works = new Map<string, Work>();
  readonly #prepared = new Map<string, Prepared>();
  #idle: (() => void)[] = [];
  #cancelTimer: () => void;
  #renewedAtMs: number;
  #isClosed = false;

  constructor(deps: WorkerServiceDeps) {
    const { transport, clock, logger } = deps;
    this.#deps = deps;
    this.#machine = new WorkerMachine(deps.totals);
    this.#execution = new BatchExecution(deps);
    this.#outbox = new Outbox({
      transport,
      clock,
      logger,
      handInHere: (message) => deps.handInHere(message),
      roomFor: (owner) => this.roomFor(owner),
      emptied: () => this.#tellIdle(),
    });
    this.#renewedAtMs = clock.monotonic();
    this.#cancelTimer = clock.after(PROGRESS_INTERVAL_MS, () => this.#tick(), { unref: true });
    this.#serve();
  }

  get runningCount(): number {
    return this.#machine.runningCount;
  }

  get queuedCount(): number {
    return this.#machine.count - this.#machine.runningCount;
  }

  roomFor(owner: PeerId): Room {
    this.#machine.observe(this.#deps.machineNow());
    return this.#machine.roomFor(owner, this.#now());
  }

  offer(
    owner: PeerId,
    need: WorkerNeed,
    isReserving: boolean,
  ): { isAccepting: boolean; room: Room } {
    this.#machine.observe(this.#deps.machineNow());
    const room = this.#machine.offer(owner, need, isReserving, this.#now());
    return { isAccepting: this.#machine.isAccepting(this.#now()), room };
  }

  /** A batch of this peer's own run. */
  grantHere(work: Work, need: WorkerNeed): GrantAnswer {
    if (!this.#fence.admits(work.run, work.ballot)) return "fenced";
    return this.#admit(work, need) ? "accepted" : "busy";
  }

  cancel(leases: Iterable<string>): void {
    for (const lease of leases) {
      const work = this.#works.get(lease);
      if (work === undefined || work.isEnding) continue;
      work.abort.abort(new MfError("STEP_CANCELLED"));
      // What does not run yet has nobody to hear the signal.
      if (this.#machine.lease(lease)?.phase !== "running")
        void this.#end(work, { outcomes: cancelledOutcomes(work) });
    }
  }

  nothingFor(owner: PeerId): void {
    this.#accept({ t: "nothing", owner });
  }

  ownerGone(owner: PeerId): void {
    this.#accept({ t: "owner-gone", owner });
  }

  ownerBack(owner: PeerId): void {
    this.#outbox.wake(owner);
  }

  /** What of a run runs here for others, or waits to be handed in. @throws MfError PEER_FENCED */
  whoWorks({ run, ballot }: OwnedRun): WorkingLease[] {
    this.#fence.raise(run, ballot);
    return [...this.#worksOf(run).map(workingOf), ...this.#outbox.ofRun(run)];
  }

  /** Outcomes go to the new owner. @returns those that are here @throws MfError PEER_FENCED */
  adopt(adopted: OwnedRun & { readonly leases: readonly string[] }, owner: PeerId): string[] {
    const { run, ballot, leases } = adopted;
    this.#fence.raise(run, ballot);
    return leases.filter((lease) => this.#adopt(lease, run, owner));
  }

  /** Takes nothing new, gives back what has not begun; resolves when nothing runs and all is handed in. */
  drain(): Promise<void> {
    this.#machine.pause(Infinity);
    for (const lease of Array.from(this.#machine.leases())) {
      const work = this.#works.get(lease.id);
      if (lease.phase !== "running" && work !== undefined) void this.#end(work, { outcomes: [] });
    }
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#outbox.close();
    for (const { abort } of this.#works.values()) abort.abort(new MfError("STEP_CANCELLED"));
  }

  #now(): number {
    return this.#deps.clock.monotonic();
  }

  #serve(): void {
    const { transport } = this.#deps;
    transport.handle(PROBE, async (from, { demand, isExclusive, inputs, isReserving }) => {
      if (this.#roleVerdict(from) !== undefined)
        return { isAccepting: false, room: NO_ROOM, queueMs: 0, held: inputs.map(() => false) };
      const offered = this.offer(from, { demand, isExclusive }, isReserving);
      // Not `has`: a store that reads through to other peers has what they have.
      const held = (await this.#deps.store.locate(inputs)).map((found) => found !== undefined);
      return { ...offered, queueMs: this.#machine.queueMs(this.#now()), held };
    });
    transport.handle(GRANT, async (from, { grants }) => {
      const answers = grants.map((grant) => this.#granted(from, grant));
      const room = this.#roleVerdict(from) === undefined ? this.roomFor(from) : NO_ROOM;
      return { answers, room };
    });
    transport.listen(NOTHING, (from) => this.nothingFor(from));
    transport.listen(CANCEL, (from, { run, ballot, leases }) => {
      if (this.#fence.admits(run, ballot))
        this.cancel(leases.filter((lease) => this.#works.get(lease)?.owner === from));
    });
    transport.handle(WHO_WORKS, async (_from, question) => ({ leases: this.whoWorks(question) }));
    transport.handle(ADOPT, async (from, question) => ({ leases: this.adopt(question, from) }));
  }

  #granted(from: PeerId, grant: Grant): GrantAnswer {
    const verdict = this.#roleVerdict(from);
    if (verdict !== undefined) return verdict;
    if (!this.#fence.admits(grant.run, grant.ballot)) return "fenced";
    const { demand, isExclusive, expectedMs } = grant;
    const need =
      expectedMs === undefined ? { demand, isExclusive } : { demand, isExclusive, expectedMs };
    return this.#admit(this.#workOf(from, grant), need) ? "accepted" : "busy";
  }

  /** Before its profile has come here nothing is known of what a peer may do: it may ask again. */
  #roleVerdict(from: PeerId): GrantAnswer | undefined {
    const profile = this.#deps.viewOf(from)?.profile;
    if (profile === undefined) return "busy";
    return profile.roles.includes("submit") || profile.roles.includes("store")
      ? undefined
      : "denied";
  }

  #workOf(from: PeerId, grant: Grant): Work {
    const { store } = this.#deps;
    const { attempts, tasks, contents } = decodeGrant(grant);
    const { run, step } = grant;
    return {
      lease: grant.lease,
      run,
      owner: from,
      ballot: grant.ballot,
      batch: {
        id: 0,
        run: runText(run),
        step,
        codeId: grant.codeId,
        attempts,
        contents,
        eachOutputs: grant.eachOutputs,
        scratchFile: join(store.scratchDir, `${grant.lease}.seg`),
        logFile: logFileOf(store.home, run, step),
        env: grant.variables,
        memBytesMax: grant.memBytesMax,
        ...(grant.timeoutMs === undefined ? {} : { timeoutMs: grant.timeoutMs }),
        yieldAfterMs: grant.yieldAfterMs,
      },
      code: undefined,
      origin: { run, env: grant.environment, tasks, demand: grant.demand, labels: [] },
      isExclusive: grant.isExclusive,
      hints: [from, ...grant.hints],
      abort: new AbortController(),
      progress: new Map(),
      isEnding: false,
      own: undefined,
    };
  }

  #admit(work: Work, need: WorkerNeed): boolean {
    // A grant that is repeated because its answer was lost.
    if (this.#works.has(work.lease)) return true;
    this.#machine.observe(this.#deps.machineNow());
    if (!this.#machine.grant(work.owner, work.lease, need, this.#now())) return false;
    this.#works.set(work.lease, work);
    void this.#prepare(work);
    return true;
  }

  async #prepare(work: Work): Promise<void> {
    try {
      const prepared = await this.#execution.prepare(work);
      if (work.isEnding) return;
      this.#prepared.set(work.lease, prepared);
      this.#accept({ t: "ready", lease: work.lease });
    } catch (error) {
      this.#deps.logger.warn("batch-not-run", {
        lease: work.lease,
        error: error instanceof NotRun ? error.message : toErrorRecord(error).code,
      });
      await this.#end(work, { outcomes: [] }, error instanceof NotRun && error.isUnfit);
    }
  }

  #accept(event: WorkerEvent): void {
    for (const effect of this.#machine.accept(event, this.#now())) {
      if (effect.t === "start") void this.#run(effect.lease, effect.gpus);
      else if (effect.owner === this.#deps.transport.self) this.#deps.pulledHere(effect.room);
      else this.#deps.transport.send(effect.owner, PULL, { room: effect.room });
    }
  }

  async #run(lease: string, gpus: readonly string[]): Promise<void> {
    const work = this.#works.get(lease);
    const prepared = this.#prepared.get(lease);
    if (work === undefined || prepared === undefined) return this.#accept({ t: "ended", lease });
    let result: BatchResult = { outcomes: [] };
    try {
      result = await this.#execution.run(work, prepared, gpus);
    } catch (error) {
      this.#deps.logger.error("hosts-broken", { error: toErrorRecord(error).code });
      this.#machine.pause(this.#now() + STORE_PAUSE_MS);
      if (work.own !== undefined && !this.#isClosed) {
        this.#forget(work);
        return work.own.broken(error);
      }
    }
    await this.#end(work, result);
  }

  /** The slot is free before the results are durable; the owner hears of them after. */
  async #end(work: Work, given: BatchResult, isUnfit = false): Promise<void> {
    const prepared = this.#prepared.get(work.lease);
    if (work.isEnding || this.#isClosed) return;
    work.isEnding = true;
    const result = this.#withoutUnwritten(given);
    if (work.own !== undefined) {
      this.#forget(work);
      return work.own.ended(result);
    }
    this.#accept({ t: "ended", lease: work.lease });
    let { outcomes } = result;
    if (prepared !== undefined) {
      try {
        outcomes = await this.#execution.commit(work, prepared.code, result);
      } catch (error) {
        this.#deps.logger.error("commit-refused", { error: toErrorRecord(error).code });
        this.#machine.pause(this.#now() + STORE_PAUSE_MS);
        outcomes = [];
      }
    }
    if (this.#isClosed) return;
    this.#works.delete(work.lease);
    this.#prepared.delete(work.lease);
    this.#handIn(work, outcomes, isUnfit);
    this.#tellIdle();
  }

  /** No room here is no failure of the task: it counts as not begun, and goes where there is room. */
  #withoutUnwritten(result: BatchResult): BatchResult {
    const outcomes = result.outcomes.filter(({ error }) => error?.code !== "STORE_FULL");
    if (outcomes.length === result.outcomes.length) return result;
    this.#deps.logger.error("disk-full", { attempts: result.outcomes.length - outcomes.length });
    this.#machine.pause(this.#now() + STORE_PAUSE_MS);
    return { ...result, outcomes };
  }

  #handIn(work: Work, outcomes: readonly AttemptOutcome[], isUnfit: boolean): void {
    this.#outbox.add({
      working: workingOf(work),
      run: work.run,
      owner: work.owner,
      parts: encodeOutcomes(outcomes),
      isUnfit,
    });
  }

  #forget({ lease }: Work): void {
    this.#works.delete(lease);
    this.#prepared.delete(lease);
    this.#accept({ t: "ended", lease });
    this.#tellIdle();
  }

  #worksOf(run: RunRef): Work[] {
    const text = runText(run);
    return [...this.#works.values()].filter(
      (work) => work.own === undefined && runText(work.run) === text,
    );
  }

  #adopt(lease: string, run: RunRef, owner: PeerId): boolean {
    const work = this.#works.get(lease);
    if (work === undefined)
      return (
        this.#outbox.ofRun(run).some((working) => working.lease === lease) &&
        this.#outbox.redirect(lease, owner)
      );
    if (work.own !== undefined || runText(work.run) !== runText(run)) return false;
    work.owner = owner;
    return true;
  }

  #tick(): void {
    if (this.#isClosed) return;
    const now = this.#now();
    this.#accept({ t: "tick" });
    const isWhole = now - this.#renewedAtMs >= RENEW_INTERVAL_MS;
    if (isWhole) this.#renewedAtMs = now;
    this.#renew(isWhole);
    const { clock } = this.#deps;
    this.#cancelTimer = clock.after(PROGRESS_INTERVAL_MS, () => this.#tick(), { unref: true });
  }

  #renew(isWhole: boolean): void {
    const byOwner = new Map<PeerId, Parameters<typeof RENEW.message.encode>[0]["leases"]>();
    const add = (owner: PeerId, lease: string, work?: Work): void => {
      const reports = work === undefined ? [] : [...work.progress.values()].slice(-PROGRESS_MAX);
      const leases = byOwner.get(owner) ?? [];
      const progress = reports.map(({ index, fraction, note }) => ({
        index: [...index],
        fraction: Math.min(1, Math.max(0, fraction)),
        ...(note === undefined ? {} : { note: note.slice(0, 1_000) }),
      }));
      leases.push({ lease, progress });
      byOwner.set(owner, leases);
      work?.progress.clear();
    };
    for (const work of this.#works.values())
      if (work.own === undefined && (isWhole || work.progress.size > 0))
        add(work.owner, work.lease, work);
    if (isWhole) for (const { lease, owner } of this.#outbox.leases()) add(owner, lease);
    byOwner.delete(this.#deps.transport.self);
    for (const [owner, leases] of byOwner)
      this.#deps.transport.send(owner, RENEW, { leases, isWhole });
  }

  #isIdle(): boolean {
    return this.#works.size === 0 && this.#outbox.size === 0;
  }

  #tellIdle(): void {
    if (!this.#isIdle()) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }
}

function workingOf({ lease, batch, origin }: Work): WorkingLease {
  return { lease, step: batch.step, memoKeys: origin.tasks.map(({ memoKey }) => memoKey) };
}
