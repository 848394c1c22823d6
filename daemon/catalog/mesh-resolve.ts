/**
 * What a pathspec names, wherever its run was: answered from this store where that is enough, else from what all peers together know
 * of the step's tasks and their facts.
 */
import { onlyContent, resolvePathspec, type Resolved } from "../../src/client/resolve-pathspec.ts";
import { hasEnded } from "../../src/client/run-result.ts";
import { findRun } from "../../src/engine/lookup/run-lookup.ts";
import { isMfError } from "../../src/model/errors.ts";
import type { ArtifactRef, Fact } from "../../src/model/fact.ts";
import { taskText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { TaskSucceeded } from "../../src/model/journal.ts";
import { parsePathspec, type Pathspec } from "../../src/model/pathspec.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { askContents, askResolve, isWholeCid } from "../../src/wire/catalog-protocol.ts";
import { ASK_LIST_MS_MAX, TASKS_RESOLVED_MAX } from "./catalog-limits.ts";
import type { LiveRuns } from "./live-runs.ts";
import type { PeerAsker } from "./peer-asker.ts";
import type { RunFinder } from "./run-finder.ts";

export interface MeshResolveDeps {
  readonly asker: PeerAsker;
  readonly finder: RunFinder;
  readonly store: Store;
  readonly live: LiveRuns;
}

type FlowSpec = Extract<Pathspec, { k: "flow" }>;

interface ToldTask {
  readonly task: TaskSucceeded;
  readonly fact?: Fact;
}

/** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS, RUN_NOT_FOUND */
export async function resolveInMesh(deps: MeshResolveDeps, text: string): Promise<Resolved> {
  const spec = parsePathspec(text);
  if (spec.k === "content") return resolveContent(deps, text, spec.id);
  const { store, finder } = deps;
  const runs = await finder.runs(spec.flow);
  const known = { runs: async () => runs, marks: () => store.marks() };
  if (spec.run === undefined || spec.step === undefined)
    return resolvePathspec({ ...localFacts(store), ...known }, text);
  const { run, ...summary } = await findRun(known, spec.flow, spec.run);
  const tasks = await tasksOf(deps, spec, run);
  const facts = new Map(
    tasks.flatMap(({ task, fact }) => (fact === undefined ? [] : [[task.memoKey, fact]])),
  );
  return resolvePathspec(
    {
      ...localFacts(store),
      ...known,
      runs: async () => [{ run, ...summary }],
      async *journal() {
        yield { t: "tasks-succeeded", at: 0, tasks: tasks.map(({ task }) => task) } as const;
      },
      getResults: async (refs) => refs.map(({ memoKey }) => facts.get(memoKey)),
    },
    `${run.flow}/${run.id}${text.slice(`${spec.flow}/${spec.run}`.length)}`,
  );
}

function localFacts(store: Store): Pick<Store, "journal" | "getResults" | "has" | "outputs"> {
  return {
    journal: (run) => store.journal(run),
    getResults: (refs) => store.getResults(refs),
    has: (ids) => store.has(ids),
    outputs: (prefix, max) => store.outputs(prefix, max),
  };
}

/** Here where this store has the whole journal of the run and every fact asked for; else everybody together. */
async function tasksOf(deps: MeshResolveDeps, spec: FlowSpec, run: RunRef): Promise<ToldTask[]> {
  const { asker, store, live } = deps;
  const here = await tasksAt(deps, asker.self, { spec, run });
  const summary = await store.getRun(run);
  const isWhole = summary !== undefined && (hasEnded(summary) || live.progress(run) !== undefined);
  const isEnough = here !== undefined && here.every(({ fact }) => fact !== undefined);
  if (isWhole && isEnough) return here;
  const answers = await asker.everybody((peer) => tasksAt(deps, peer, { spec, run }), {
    withSelf: false,
  });
  const byTask = new Map<string, ToldTask>();
  for (const told of [here ?? [], ...answers.map(({ answer }) => answer)].flat()) {
    const key = taskText(told.task);
    const before = byTask.get(key);
    if (before?.fact === undefined) byTask.set(key, before === undefined ? told : { ...told });
  }
  return [...byTask.values()];
}

async function tasksAt(
  { asker }: MeshResolveDeps,
  peer: PeerId,
  { spec, run }: { readonly spec: FlowSpec; readonly run: RunRef },
): Promise<ToldTask[] | undefined> {
  const step = spec.step ?? "";
  const rows = await asker.pages(TASKS_RESOLVED_MAX, async (from) => {
    const page = await asker.one(
      peer,
      askResolve,
      { run, step, from, ...(spec.index === undefined ? {} : { index: spec.index }) },
      ASK_LIST_MS_MAX,
    );
    return page === undefined ? undefined : { rows: page.tasks, next: page.next };
  });
  return rows?.map(({ index, memoKey, by, fact }) => ({
    task: { step, index, memoKey, by, wallMs: 0 },
    // A fact under another key says nothing of this task.
    ...(fact === undefined || fact.memoKey !== memoKey ? {} : { fact }),
  }));
}

/** A whole id needs nobody: bringing its content finds out who has it. */
async function resolveContent(
  { asker, store }: MeshResolveDeps,
  text: string,
  prefix: string,
): Promise<Resolved> {
  if (isWholeCid(prefix)) return { k: "content", id: prefix };
  const found = new Map<Cid, ArtifactRef>();
  const local = await resolvePathspec(store, text).catch((error: unknown) => {
    if (isMfError(error, "PATHSPEC_NOT_FOUND")) return undefined;
    throw error;
  });
  if (local?.k === "content" && local.ref !== undefined) found.set(local.id, local.ref);
  const answers = await asker.everybody(
    (peer) => asker.one(peer, askContents, { prefix }, ASK_LIST_MS_MAX),
    { withSelf: false },
  );
  for (const { answer } of answers)
    for (const ref of answer.refs) if (ref.id.startsWith(prefix)) found.set(ref.id, ref);
  return onlyContent(text, found);
}
