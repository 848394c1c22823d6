/** What this peer answers about its own store, its runs and its logs: to others over the wire, to itself without one. */
import { taskOutputs } from "../../src/engine/lookup/run-outputs.ts";
import { hasEnded, runResultOf, workOfPeers } from "../../src/client/run-result.ts";
import { loggedSteps, readLogPage } from "../../src/client/run-logs.ts";
import { runStatus, withProgress, type RunStatus } from "../../src/client/runs.ts";
import { delay, type Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { taskText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry, TaskSucceeded } from "../../src/model/journal.ts";
import type { Store } from "../../src/store/ports.ts";
import {
  askCancel,
  askContents,
  askFacts,
  askJournal,
  askLogs,
  askProgress,
  askResolve,
  askRun,
  askRuns,
  askStatus,
  askVersions,
  CONTENTS_MAX,
  EVENTS_PAGE_MAX,
  LOG_RECORDS_MAX,
  PAGE_BYTES_MAX,
  PAGE_ENTRIES_MAX,
  PAGE_TASKS_MAX,
} from "../../src/wire/catalog-protocol.ts";
import type { RequestType, Transport } from "../../src/wire/transport.ts";
import { SERVED_MAX, SERVED_WAITING_MAX } from "./catalog-limits.ts";
import type { LiveRuns, OwnerRef } from "./live-runs.ts";
import { answerVersions } from "./mesh-versions.ts";
import { isWorkOld, RunFeeds, trimError, trimProgress, trimResult } from "./run-feed.ts";
import { ServiceGate } from "./service-gate.ts";

export interface CatalogAnswersDeps {
  readonly store: Store;
  readonly live: LiveRuns;
  readonly ownerOf: (run: RunRef) => OwnerRef | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly selfName: string;
}

type Answer<T> = T extends RequestType<infer _Q, infer A> ? A : never;
type Query<T> = T extends RequestType<infer Q, infer _A> ? Q : never;

/** Without a mesh a store calls its peer so; across one it needs the name. */
const LONE_PEER = "local";

export class CatalogAnswers {
  readonly #deps: CatalogAnswersDeps;
  readonly #feeds: RunFeeds;
  readonly #gate = new ServiceGate(SERVED_MAX, SERVED_WAITING_MAX);
  readonly #byName = new Map<string, (query: never) => Promise<unknown>>();

  constructor(deps: CatalogAnswersDeps) {
    this.#deps = deps;
    this.#feeds = new RunFeeds(deps.live, deps.clock);
  }

  /** Answers others from now on. */
  serve(transport: Pick<Transport, "handle">): void {
    const add = <Q, A>(type: RequestType<Q, A>, answer: (query: Q) => Promise<A>): void => {
      this.#byName.set(type.name, answer);
      transport.handle(type, (_from, query) => answer(query));
    };
    const addGated = <Q, A>(type: RequestType<Q, A>, answer: (query: Q) => Promise<A>): void =>
      add(type, (query) => this.#gate.run(this.#deps.selfName, () => answer(query)));
    addGated(askRuns, (query) => this.runs(query));
    addGated(askRun, (query) => this.run(query));
    addGated(askVersions, (query) => answerVersions(this.#deps, query));
    addGated(askStatus, (query) => this.status(query));
    addGated(askResolve, (query) => this.resolve(query));
    addGated(askJournal, (query) => this.journal(query));
    addGated(askFacts, (query) => this.facts(query));
    addGated(askContents, (query) => this.contents(query));
    addGated(askLogs, (query) => this.logs(query));
    // These two are cheap, and the first one waits.
    add(askProgress, (query) => this.progress(query));
    add(askCancel, (query) => this.cancel(query));
  }

  async answer<Q, A>(type: RequestType<Q, A>, query: Q): Promise<A> {
    const answer = this.#byName.get(type.name) as ((query: Q) => Promise<A>) | undefined;
    if (answer === undefined) throw new Error(`${type.name} is not served`);
    return answer(query);
  }

  close(): void {
    this.#feeds.close();
  }

  async runs({ flow, from = 0, limit }: Query<typeof askRuns>): Promise<Answer<typeof askRuns>> {
    return pageOf(await this.#deps.store.runs(flow), from, limit);
  }

  async run({ run }: Query<typeof askRun>): Promise<Answer<typeof askRun>> {
    const { store, live } = this.#deps;
    const summary = await store.getRun(run);
    const packageId = summary === undefined ? undefined : await this.#packageId(run);
    return {
      isLive: live.progress(run) !== undefined,
      ...(summary === undefined ? {} : { summary }),
      ...(packageId === undefined ? {} : { packageId }),
      ...this.#ownerHint(run),
    };
  }

  async status({ run }: Query<typeof askStatus>): Promise<Answer<typeof askStatus>> {
    const { store, live } = this.#deps;
    if ((await store.getRun(run)) === undefined) return {};
    const folded = await runStatus(store, run);
    // Asked after the journal was read, so that it is never older than that.
    const progress = live.progress(run);
    const status = progress === undefined ? folded : withProgress(folded, progress);
    return { status: this.#named(run, status) };
  }

  async resolve({
    run,
    step,
    index,
    from = 0,
  }: Query<typeof askResolve>): Promise<Answer<typeof askResolve>> {
    const { store } = this.#deps;
    const outputs = new Map(
      (await taskOutputs(store, run, step)).map((task) => [taskText(task), task.fact]),
    );
    const wanted = index?.join(",");
    const tasks = new Map<string, TaskSucceeded>();
    for await (const entry of store.journal(run)) {
      if (entry.t !== "tasks-succeeded") continue;
      for (const task of entry.tasks)
        if (task.step === step && (wanted === undefined || task.index.join(",") === wanted))
          tasks.set(taskText(task), task);
    }
    const rows = [...tasks].map(([key, { index, memoKey, by }]) => {
      const fact = outputs.get(key);
      return { index, memoKey, by, ...(fact === undefined ? {} : { fact }) };
    });
    const { rows: page, ...next } = pageOf(rows, from, PAGE_TASKS_MAX);
    return { tasks: page, ...next };
  }

  async journal({ run, from = 0 }: Query<typeof askJournal>): Promise<Answer<typeof askJournal>> {
    const rows: JournalEntry[] = [];
    let bytes = 0;
    let at = 0;
    for await (const entry of this.#deps.store.journal(run)) {
      if (at++ < from) continue;
      bytes += JSON.stringify(entry).length;
      if (rows.length >= PAGE_ENTRIES_MAX || (rows.length > 0 && bytes > PAGE_BYTES_MAX / 2))
        return { rows, next: at - 1 };
      rows.push(entry);
    }
    return { rows };
  }

  async facts({ refs }: Query<typeof askFacts>): Promise<Answer<typeof askFacts>> {
    const found = (await this.#deps.store.getResults(refs)).filter((fact) => fact !== undefined);
    return { facts: pageOf(found, 0, PAGE_TASKS_MAX).rows };
  }

  async contents({ prefix }: Query<typeof askContents>): Promise<Answer<typeof askContents>> {
    const { store } = this.#deps;
    return { refs: await store.outputs(prefix, CONTENTS_MAX) };
  }

  async logs({
    run,
    step,
    index,
    from = 0,
    bytesMax,
  }: Query<typeof askLogs>): Promise<Answer<typeof askLogs>> {
    const { home } = this.#deps.store;
    if (step === undefined) {
      const steps = await loggedSteps(home, run);
      return { steps: steps.slice(0, PAGE_TASKS_MAX), records: [], next: 0, isEnd: true };
    }
    const page = await readLogPage(home, run, {
      step,
      from,
      bytesMax,
      recordsMax: LOG_RECORDS_MAX,
      ...(index === undefined ? {} : { index }),
    });
    return { steps: [], ...page, records: [...page.records] };
  }

  async progress({
    run,
    feed: known,
    after,
    waitMs = 0,
  }: Query<typeof askProgress>): Promise<Answer<typeof askProgress>> {
    const { store, live, clock } = this.#deps;
    const feed = this.#feeds.get(run);
    if (feed !== undefined && waitMs > 0 && known === feed.id)
      await delay(clock, waitMs, feed.ended.signal);
    const progress = live.progress(run);
    // Without an end and without progress the run has left: another peer owns it now.
    if (feed === undefined || (feed.result === undefined && progress === undefined)) {
      this.#feeds.drop(run);
      return this.#progressElsewhere(run);
    }
    const now = clock.monotonic();
    if (isWorkOld(feed, now)) {
      const peers = await workOfPeers(store, run);
      feed.work = { at: now, tookMs: clock.monotonic() - now, peers };
    }
    const seen = known === feed.id ? after : 0;
    const events = feed.events.filter(({ seq }) => seq > seen).slice(0, EVENTS_PAGE_MAX);
    // The end is told with the last events, never before them.
    const isAllTold = events.length < EVENTS_PAGE_MAX;
    return {
      isOwner: true,
      feed: feed.id,
      events,
      ...(progress === undefined
        ? {}
        : { progress: { ...progress, steps: progress.steps.map(trimProgress) } }),
      ...(feed.work === undefined ? {} : { peers: { ...feed.work.peers } }),
      ...(feed.result === undefined || !isAllTold ? {} : { result: feed.result }),
    };
  }

  async cancel({ run }: Query<typeof askCancel>): Promise<Answer<typeof askCancel>> {
    const { live, store } = this.#deps;
    if (live.cancel(run)) return { isDone: true };
    const summary = await store.getRun(run);
    const isDone = summary !== undefined && hasEnded(summary);
    return { isDone, ...this.#ownerHint(run), ...(isDone ? { state: summary.state } : {}) };
  }

  async #progressElsewhere(run: RunRef): Promise<Answer<typeof askProgress>> {
    const { store } = this.#deps;
    const summary = await store.getRun(run);
    if (summary === undefined || !hasEnded(summary))
      return { isOwner: false, events: [], ...this.#ownerHint(run) };
    return { isOwner: false, events: [], result: trimResult(await runResultOf(store, summary)) };
  }

  #ownerHint(run: RunRef): { owner?: { peer: OwnerRef["peer"]; name: string } } {
    const owner = this.#deps.ownerOf(run);
    return owner === undefined ? {} : { owner: { peer: owner.peer, name: owner.name } };
  }

  /** The entry that begins a journal names what the run was started with. */
  async #packageId(run: RunRef): Promise<Cid | undefined> {
    for await (const entry of this.#deps.store.journal(run))
      if (entry.t === "run-started") return entry.packageId;
    return undefined;
  }

  #named(run: RunRef, status: RunStatus): NonNullable<Answer<typeof askStatus>["status"]> {
    const { selfName, ownerOf } = this.#deps;
    const named = (name: string): string => (name === LONE_PEER ? selfName : name);
    const { error } = status;
    return {
      ...status,
      owner: ownerOf(run)?.name ?? named(status.owner),
      steps: status.steps.map((step) => ({
        ...step,
        peers: Object.fromEntries(
          Object.entries(step.peers).map(([name, tasks]) => [named(name), tasks]),
        ),
      })),
      ...(error === undefined ? {} : { error: trimError(error) }),
    };
  }
}

/** As many rows as fit into a page: counted, and by about half of what it may take in bytes. */
function pageOf<Row>(
  all: readonly Row[],
  from: number,
  limit: number,
): { rows: Row[]; next?: number } {
  const rows: Row[] = [];
  let bytes = 0;
  let at = from;
  for (; at < all.length && rows.length < limit; at++) {
    const row = all[at] as Row;
    bytes += JSON.stringify(row).length;
    if (rows.length > 0 && bytes > PAGE_BYTES_MAX / 2) break;
    rows.push(row);
  }
  return at < all.length ? { rows, next: at } : { rows };
}
