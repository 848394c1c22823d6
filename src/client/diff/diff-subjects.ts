/** What is compared: two runs, tasks of runs, or values, read through Records. */
import { compareIndex } from "../../engine/lookup/run-outputs.ts";
import { MfError } from "../../model/errors.ts";
import type { Fact } from "../../model/fact.ts";
import { runText, taskText, type Cid, type RunRef } from "../../model/ids.ts";
import type { JournalEntry, TaskSucceeded } from "../../model/journal.ts";
import type { ResolvedArtifact } from "../control/read-side.ts";
import type { Records } from "../records.ts";

export type Started = Extract<JournalEntry, { t: "run-started" }>;

export interface RunSubject {
  readonly k: "run";
  readonly text: string;
  readonly started: Started;
  /** One task alone: it is compared whatever it is called. */
  readonly isTask: boolean;
  /** By task; undefined where nobody who answers has the fact. */
  readonly facts: ReadonlyMap<string, Fact | undefined>;
}

export interface ValueSubject {
  readonly k: "value";
  readonly text: string;
  /** One, or for a step in a foreach one for each task. */
  readonly values: ReadonlyMap<string, { readonly id: Cid; readonly path: readonly string[] }>;
}

export type Subject = RunSubject | ValueSubject;

/** `flow/run`, `flow/run/step[i]`, `flow/run/step[i]/artifact`, `c:ID`. @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, RUN_NOT_FOUND */
export async function diffSubject(records: Records, text: string): Promise<Subject> {
  const parts = text.split("/");
  const isArtifact = parts.length > 3 || (parts.length === 3 && (parts[2] ?? "").includes("."));
  if (text.startsWith("c:") || isArtifact) return valueSubject(records, text);
  if (parts.length < 2)
    throw new MfError("PATHSPEC_INVALID", {
      text,
      reason: "what is compared is a run, a task, an artifact or c:ID",
    });
  const { run } = await records.side.run(parts.slice(0, 2).join("/"));
  const subject = await runSubject(records, run);
  const [, , task] = parts;
  return task === undefined ? subject : taskSubject(subject, text, task);
}

async function runSubject(records: Records, run: RunRef): Promise<RunSubject> {
  const tasks = new Map<string, TaskSucceeded>();
  let started: Started | undefined;
  for (const entry of await records.journal(run)) {
    if (entry.t === "run-started") started = entry;
    if (entry.t !== "tasks-succeeded") continue;
    for (const task of entry.tasks) tasks.set(taskText(task), task);
  }
  if (started === undefined) throw new MfError("RUN_NOT_FOUND", { run: runText(run) });
  const steps = Object.keys(started.codes);
  const ordered = [...tasks].sort(
    ([, a], [, b]) =>
      steps.indexOf(a.step) - steps.indexOf(b.step) || compareIndex(a.index, b.index),
  );
  const facts = await records.facts(ordered.map(([, task]) => task));
  const byTask = ordered.map(([task], at) => [task, facts[at]] as const);
  return { k: "run", text: runText(run), started, isTask: false, facts: new Map(byTask) };
}

function taskSubject(run: RunSubject, text: string, task: string): RunSubject {
  const found = [...run.facts].filter(([name]) => name === task || name.startsWith(`${task}[`));
  const [first] = found;
  if (first === undefined) {
    const known = [...run.facts.keys()].slice(0, 5).join(", ");
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: text,
      reason: `${task} has no finished task in ${run.text}`,
      hint: known === "" ? "`mf status RUN` shows its steps." : `There are: ${known}.`,
    });
  }
  const step = task.replace(/\[.*$/, "");
  const code = run.started.codes[step];
  const started: Started = {
    ...run.started,
    params: {},
    paramTexts: {},
    versions: {},
    codes: code === undefined ? {} : { [step]: code },
  };
  const { sources: _sources, ...rest } = started;
  return { k: "run", text, started: rest, isTask: found.length === 1, facts: new Map(found) };
}

async function valueSubject(records: Records, text: string): Promise<ValueSubject> {
  const resolved = await records.side.resolve(text);
  if (resolved.kind === "content")
    return { k: "value", text, values: new Map([["", { id: resolved.id, path: [] }]]) };
  if (resolved.kind === "artifact")
    return { k: "value", text, values: new Map([["", valueOf(resolved.artifact)]]) };
  const values = resolved.artifacts.map((artifact) => {
    const name = artifact.pathspec.split("/").slice(2).join("/");
    return [name, valueOf(artifact)] as const;
  });
  return { k: "value", text, values: new Map(values) };
}

function valueOf({ ref, path }: ResolvedArtifact): { id: Cid; path: readonly string[] } {
  return { id: ref.id, path };
}
