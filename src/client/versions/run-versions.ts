/** What single runs of a store say of versions: their journals, joined with the facts these name. Streams; gives the event loop its turn. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { isListSource } from "../../graph/source-spec.ts";
import type { ArtifactRef, Fact, FactRef } from "../../model/fact.ts";
import { runText, taskText } from "../../model/ids.ts";
import type { JournalEntry, RunSummary, TaskSucceeded } from "../../model/journal.ts";
import type { Store } from "../../store/ports.ts";
import type { VersionPart } from "./version-fold.ts";
import {
  artifactName,
  codeName,
  sourceVersionName,
  type VersionNames,
  type VersionsQuery,
} from "./version-query.ts";

/** What is asked of single runs. */
export interface RunVersionsQuery extends Pick<
  VersionsQuery,
  "since" | "until" | "peer" | "params"
> {
  readonly names: VersionNames;
  /** Only of these names. */
  readonly only?: readonly string[];
}

/** A finished task as its run's journal has it: when, where and by which code is the same wherever the journal is. */
export interface SeenTask {
  readonly task: string;
  readonly at: number;
  readonly by: string;
  readonly code: string;
}

/** A task whose fact is not in this store: another peer may have it. */
export interface LackedTask extends SeenTask {
  readonly run: string;
  readonly ref: FactRef;
}

export interface RunVersions {
  readonly parts: readonly VersionPart[];
  readonly lacking: readonly LackedTask[];
  /** Tasks of the run that have been looked at; 0 before the first. */
  readonly next: number;
}

/** Tasks looked at between two turns of the event loop: about 2 ms. */
const TASKS_BATCH = 64;
/** Parts handed on together: a task has few, but may have thousands. */
const PARTS_PAGE = 512;
/** Entries read between two turns of the event loop. */
const ENTRIES_BATCH = 16;

/** Without a mesh a store calls its peer so. */
const LONE_PEER = "local";

type Started = Extract<JournalEntry, { t: "run-started" }>;
type TaskAt = TaskSucceeded & { readonly at: number };

export interface VersionStore extends Pick<Store, "journal" | "getResults"> {}

export interface RunVersionsOptions {
  /** Position of the first task to look at. @default 0 */
  readonly from?: number;
  /** What this store's peer is called where it did not know its name. @default local */
  readonly self?: string;
}

/** Pages of what one run says, in the order of its tasks. */
export async function* versionsOfRun(
  store: VersionStore,
  summary: RunSummary,
  query: RunVersionsQuery,
  { from = 0, self = LONE_PEER }: RunVersionsOptions = {},
): AsyncIterable<RunVersions> {
  const named = (by: string): string => (by === LONE_PEER ? self : by);
  const { started, tasks } = await tasksOf(store, summary, query);
  if (started === undefined) return;
  const wanted = new WantedNames(query);
  if (from === 0) {
    const parts = [...startParts(summary, started, query)]
      .map((part) => ({ ...part, by: named(part.by) }))
      .filter((part) => wanted.has(part));
    if (parts.length > 0) yield { parts, lacking: [], next: 0 };
  }
  for await (const { at, batch, facts } of factBatches(store, tasks, from)) {
    let parts: VersionPart[] = [];
    let lacking: LackedTask[] = [];
    for (const [position, done] of batch.entries()) {
      const fact = facts[position];
      const { memoKey, result, step, at: doneAt, by } = done;
      const seen = {
        task: taskText(done),
        at: doneAt,
        by: named(by),
        code: started.codes[step] ?? "",
      };
      if (fact === undefined) {
        const ref = result === undefined ? { memoKey } : { memoKey, result };
        lacking.push({ ...seen, run: runText(summary.run), ref });
      } else
        for (const part of seenParts(summary, seen, fact)) if (wanted.has(part)) parts.push(part);
      if (parts.length < PARTS_PAGE && position < batch.length - 1) continue;
      yield { parts, lacking, next: at + position + 1 };
      parts = [];
      lacking = [];
    }
    await nextTurn();
  }
}

interface FactBatch {
  /** Position of its first task. */
  readonly at: number;
  readonly batch: readonly TaskAt[];
  readonly facts: readonly (Fact | undefined)[];
}

/** The next facts are read while the last ones are looked at. */
async function* factBatches(
  store: VersionStore,
  tasks: readonly TaskAt[],
  from: number,
): AsyncIterable<FactBatch> {
  const read = (at: number): Promise<FactBatch> | undefined => {
    if (at >= tasks.length) return undefined;
    const batch = tasks.slice(at, at + TASKS_BATCH);
    const reading = store.getResults(batch).then((facts) => ({ at, batch, facts }));
    // Whoever comes to it gets the error; nobody may come to it.
    reading.catch(() => undefined);
    return reading;
  };
  let next = read(from);
  while (next !== undefined) {
    const known = await next;
    next = read(known.at + TASKS_BATCH);
    yield known;
  }
}

/** Of many runs, each in turn: while one is looked at, the next is read. */
export async function* versionsOfRuns(
  store: VersionStore,
  runs: readonly RunSummary[],
  query: RunVersionsQuery,
): AsyncIterable<RunVersions> {
  const begin = (position: number) => {
    const run = runs[position];
    if (run === undefined) return undefined;
    const pages = versionsOfRun(store, run, query)[Symbol.asyncIterator]();
    const first = pages.next();
    first.catch(() => undefined);
    return { pages, first };
  };
  let next = begin(0);
  for (let position = 1; next !== undefined; position++) {
    const { pages, first } = next;
    const page = await first;
    next = begin(position);
    for (let told = page; told.done !== true; told = await pages.next()) yield told.value;
  }
}

/** What a finished task made. Written out: there are very many of these, and a spread costs ten times as much. */
export function seenParts(
  { run, createdAt, user }: RunSummary,
  { task, at, by, code }: SeenTask,
  { outputs }: Pick<Fact, "outputs">,
): VersionPart[] {
  const text = runText(run);
  return Object.keys(outputs).map((name) => {
    const { id, bytes, kind } = outputs[name] as ArtifactRef;
    return {
      what: "artifact",
      artifact: artifactName(run.flow, task, name),
      id,
      run: text,
      runAt: createdAt,
      user,
      at,
      by,
      lastRun: text,
      seenAt: at,
      seen: 1,
      bytes,
      kind,
      code,
    };
  });
}

function origin({ run, createdAt, user }: RunSummary) {
  const text = runText(run);
  return { run: text, runAt: createdAt, user, lastRun: text, seen: 1 } as const;
}

/** Sources and code are known when a run begins. */
function* startParts(
  summary: RunSummary,
  { at, sources = {}, codes }: Started,
  { since, until }: RunVersionsQuery,
): Iterable<VersionPart> {
  if (at < (since ?? -Infinity) || at > (until ?? Infinity)) return;
  const by = summary.owner?.name ?? LONE_PEER;
  const { flow } = summary.run;
  const common = { ...origin(summary), at, by, seenAt: at };
  for (const [uri, { version, files, bytes }] of Object.entries(sources)) {
    const kind = isListSource(uri) ? `files[${files}]` : "file";
    const artifact = sourceVersionName(flow, uri);
    yield { ...common, what: "source", artifact, id: version, bytes, kind, code: "" };
  }
  for (const [step, code] of Object.entries(codes)) {
    const artifact = codeName(flow, step);
    yield { ...common, what: "code", artifact, id: code, bytes: 0, kind: "code", code };
  }
}

/** Which of a run's parts are asked for. */
export class WantedNames {
  readonly #query: RunVersionsQuery;
  readonly #only: ReadonlySet<string> | undefined;

  constructor(query: RunVersionsQuery) {
    this.#query = query;
    this.#only = query.only === undefined ? undefined : new Set(query.only);
  }

  has({ what, artifact, by }: VersionPart): boolean {
    const { names, peer } = this.#query;
    if (!names.what.includes(what) || (this.#only !== undefined && !this.#only.has(artifact)))
      return false;
    if (peer !== undefined && by !== peer) return false;
    const flow = artifact.slice(0, artifact.indexOf("/"));
    const rest = artifact.slice(flow.length + 1);
    if (what === "source")
      return (
        names.source === undefined ||
        names.source === "" ||
        artifact === sourceVersionName(flow, names.source)
      );
    if (what === "code") return names.step === undefined || rest === `code:${bareStep(names.step)}`;
    return names.artifact === undefined || rest.slice(rest.lastIndexOf("/") + 1) === names.artifact;
  }
}

function bareStep(step: string): string {
  const bracket = step.indexOf("[");
  return bracket < 0 ? step : step.slice(0, bracket);
}

interface RunTasks {
  /** Undefined where the run is not among those asked for. */
  readonly started: Started | undefined;
  readonly tasks: readonly TaskAt[];
}

/** The run's finished tasks that are asked for, each once: where one succeeded twice the last counts. */
async function tasksOf(
  store: VersionStore,
  { run }: RunSummary,
  { names, only, since = -Infinity, until = Infinity, params = {} }: RunVersionsQuery,
): Promise<RunTasks> {
  let started: Started | undefined;
  const tasks = new Map<string, TaskAt>();
  const isTaskWanted = taskFilter(run.flow, names, only);
  const areTasksWanted = names.what.includes("artifact");
  let entries = 0;
  for await (const entry of store.journal(run)) {
    if (++entries % ENTRIES_BATCH === 0) await nextTurn();
    if (entry.t === "run-started") {
      if (!hasParams(entry, params)) return { started: undefined, tasks: [] };
      started = entry;
      if (!areTasksWanted) break;
    }
    if (entry.t !== "tasks-succeeded" || entry.at < since || entry.at > until) continue;
    for (const task of entry.tasks) {
      const text = taskText(task);
      if (isTaskWanted(task.step, text)) tasks.set(text, { ...task, at: entry.at });
    }
  }
  return { started, tasks: [...tasks.values()] };
}

function hasParams({ paramTexts }: Started, params: Readonly<Record<string, string>>): boolean {
  return Object.entries(params).every(
    ([name, text]) => Object.hasOwn(paramTexts, name) && paramTexts[name] === text,
  );
}

function taskFilter(
  flow: string,
  { step }: VersionNames,
  only: readonly string[] | undefined,
): (step: string, task: string) => boolean {
  const tasks =
    only === undefined
      ? undefined
      : new Set(only.map((name) => name.slice(flow.length + 1, name.lastIndexOf("/"))));
  return (name, task) =>
    (step === undefined || step === name || step === task) && (tasks?.has(task) ?? true);
}
