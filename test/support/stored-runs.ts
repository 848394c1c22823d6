/** Runs put into a store by hand: a journal, facts, contents; no engine. */
import { cidOf } from "../../src/artifact/cid.ts";
import { encodeValue, kindOf } from "../../src/artifact/codec.ts";
import { resultIdOf } from "../../src/artifact/result-id.ts";
import type { Fact } from "../../src/model/fact.ts";
import type { Cid, CodeId, MemoKey, RunId, RunRef } from "../../src/model/ids.ts";
import type { JournalEntry, RunState, RunSummary } from "../../src/model/journal.ts";
import type { Store } from "../../src/store/ports.ts";

export interface TaskToStore {
  /** Equal texts are the same task: the same fact. */
  readonly key: string;
  readonly output: unknown;
  readonly inputs?: Readonly<Record<string, string>>;
  readonly at?: number;
}

export interface RunToStore {
  readonly tasks: readonly TaskToStore[];
  readonly createdAt?: number;
  readonly finishedAt?: number;
  readonly state?: RunState;
  readonly flow?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly versions?: Readonly<Record<string, Cid>>;
}

export interface StoredRun {
  readonly run: RunRef;
  readonly text: string;
  readonly facts: readonly Fact[];
  readonly packageId: Cid;
}

export function memoKey(text: string): MemoKey {
  return Buffer.from(text).toString("hex").padEnd(64, "0").slice(0, 64) as MemoKey;
}

export async function putValue(store: Store, value: unknown): Promise<Cid> {
  return (await store.putBytes(encodeValue(value).data, "messagepack")).id;
}

export function valueId(value: unknown): Cid {
  return cidOf("messagepack", encodeValue(value).data);
}

export async function storeFact(store: Store, task: TaskToStore): Promise<Fact> {
  const { key, output, inputs = {}, at = 100 } = task;
  const { data } = encodeValue(output);
  const { id, bytes } = await store.putBytes(data, "messagepack");
  const fact: Fact = {
    v: 1,
    memoKey: memoKey(key),
    flow: "sweep",
    step: "fit",
    code: "c".repeat(64) as CodeId,
    env: "",
    seed: "s",
    inputs,
    outputs: { x: { id, bytes, kind: kindOf(output) } },
    by: "local",
    at,
    wallMs: 1,
    cpuMs: 1,
    rssBytesMax: 1,
  };
  await store.commit({ facts: [fact] });
  return fact;
}

export async function storeRun(store: Store, id: string, given: RunToStore): Promise<StoredRun> {
  const { tasks, createdAt = 1000, state = "succeeded", flow = "sweep", versions = {} } = given;
  const run: RunRef = { flow, id: id as RunId };
  const { id: packageId } = await store.putBytes(Buffer.from(`package of ${flow}/${id}`), "raw");
  const params: Record<string, Cid> = {};
  for (const [name, value] of Object.entries(given.params ?? {}))
    params[name] = await putValue(store, value);
  const facts: Fact[] = [];
  for (const task of tasks) facts.push(await storeFact(store, task));
  const entries: JournalEntry[] = [
    {
      t: "run-started",
      at: createdAt,
      user: "ada",
      file: "sweep.ts",
      bundleId: "b",
      packageId,
      params,
      paramTexts: {},
      versions,
      seed: "0",
      codes: {},
      options: {},
    },
    {
      t: "tasks-succeeded",
      at: createdAt,
      tasks: facts.map((fact, at) => ({
        step: "fit",
        index: [at],
        memoKey: fact.memoKey,
        result: resultIdOf(fact),
        by: "local",
        wallMs: 1,
      })),
    },
  ];
  const finishedAt = given.finishedAt ?? createdAt + 1;
  const hasEnded = state !== "running" && state !== "waiting";
  if (hasEnded) entries.push({ t: "run-finished", at: finishedAt, state });
  const summary: RunSummary = {
    run,
    state,
    createdAt,
    ...(hasEnded ? { finishedAt } : {}),
    user: "ada",
    file: "sweep.ts",
    bundleId: "b",
    counts: { total: 1, succeeded: 1, failed: 0, reused: 0, executed: 1 },
    pid: 1,
  };
  await store.commit({ journal: { run, entries, from: 0 }, summary });
  return { run, text: `${flow}/${id}`, facts, packageId };
}

export async function removeRun(store: Store, text: string, at = 2000): Promise<void> {
  await store.commit({ marks: [{ kind: "gone", on: text, name: "", value: "", at, by: "ada" }] });
}
