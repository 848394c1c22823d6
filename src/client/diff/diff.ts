/** `mf diff`: what differs between two runs, tasks, artifacts or contents. A pure function over Records. */
import { environmentIdOf } from "../../code/flow-package.ts";
import { MfError } from "../../model/errors.ts";
import type { ArtifactRef } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import { diffCode } from "../explain/code-diff.ts";
import type { Records } from "../records.ts";
import {
  compareNamed,
  sectionOf,
  type Compared,
  type DiffItem,
  type DiffReport,
  type DiffSection,
} from "./diff-report.ts";
import { diffSubject, type RunSubject, type ValueSubject } from "./diff-subjects.ts";
import { DIFF_SHOWN_MAX, type ValueDiff } from "./diff-text.ts";
import { ValueReader, VALUES_COMPARED_MAX } from "./value-reader.ts";

export interface DiffOptions {
  /** Of two runs only this step. */
  readonly step?: string;
  /** What is the same is listed too. */
  readonly all?: boolean;
}

/** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, RUN_NOT_FOUND */
export async function diff(
  records: Records,
  [a, b]: readonly [string, string],
  options: DiffOptions = {},
): Promise<DiffReport> {
  const [old, now] = [await diffSubject(records, a), await diffSubject(records, b)];
  const reader = new ValueReader(records);
  const sections =
    old.k === "run" && now.k === "run"
      ? await diffRuns(records, { old, now, reader, options })
      : old.k === "value" && now.k === "value"
        ? [await diffValuesOf(reader, old, now, options.all === true)]
        : undefined;
  if (sections === undefined)
    throw new MfError("PATHSPEC_INVALID", {
      text: b,
      reason: `${a} is ${old.k === "run" ? "a run or a task" : "a value"}: both must be of one kind`,
    });
  const same = sections.every(({ items }) => items.every((item) => item.change === "same"));
  return { a: old.text, b: now.text, same, sections, notes: reader.notes() };
}

interface RunsDiff {
  readonly old: RunSubject;
  readonly now: RunSubject;
  readonly reader: ValueReader;
  readonly options: DiffOptions;
}

async function diffRuns(
  records: Records,
  { old, now, reader, options: { step, all } }: RunsDiff,
): Promise<DiffSection[]> {
  const isAll = all === true;
  const ofStep = (name: string): boolean =>
    step === undefined ||
    name === step ||
    name.startsWith(`${step}[`) ||
    name.startsWith(`${step}/`);
  const section = (
    name: string,
    of: (run: RunSubject) => Iterable<readonly [string, Compared]>,
  ): DiffSection => {
    const [a, b] = [new Map(of(old)), new Map(of(now))];
    return sectionOf(name, compareNamed(a, b), isAll);
  };
  const stepSections = [
    sectionOf("code", await codeItems(records, { old, now, ofStep }), isAll),
    section("environment", (run) => environments(run, ofStep)),
    section("inputs", (run) => (old.isTask && now.isTask ? inputsOf(run) : [])),
    sectionOf("artifacts", await artifactItems(reader, { old, now, ofStep }), isAll),
  ];
  if (step !== undefined) {
    const isKnown = [old, now].some(({ started }) => Object.hasOwn(started.codes, step));
    if (!isKnown)
      throw new MfError("PATHSPEC_NOT_FOUND", {
        pathspec: step,
        reason: "neither run has such a step",
        hint: `Steps: ${Object.keys(now.started.codes).join(", ")}.`,
      });
    return stepSections;
  }
  return [
    section("parameters", ({ started: { params, paramTexts } }) =>
      Object.entries(params).map(([name, id]) => [
        name,
        { identity: id, text: paramTexts[name] ?? id },
      ]),
    ),
    section("seed", ({ started: { seed } }) => [["seed", { identity: seed, text: seed }]]),
    section("versions", ({ started: { versions } }) =>
      Object.entries(versions).map(([name, id]) => [name, { identity: id, text: `c:${id}` }]),
    ),
    section("sources", ({ started: { sources = {} } }) =>
      Object.entries(sources).map(([uri, { version, files, bytes }]) => [
        uri,
        { identity: version, text: `${files} ${files === 1 ? "file" : "files"}, ${bytes} bytes` },
      ]),
    ),
    ...stepSections,
  ];
}

/** Of one task: what it was given. */
function* inputsOf({ facts }: RunSubject): Iterable<readonly [string, Compared]> {
  for (const fact of facts.values())
    for (const [name, id] of Object.entries(fact?.inputs ?? {}))
      yield [name, { identity: id, text: id.slice(0, ID_SHOWN) }];
}

type OfStep = (name: string) => boolean;

function* environments(
  { facts }: RunSubject,
  ofStep: OfStep,
): Iterable<readonly [string, Compared]> {
  const bySteps = new Map<string, Set<string>>();
  for (const fact of facts.values()) {
    if (fact === undefined || !ofStep(fact.step)) continue;
    const known = bySteps.get(fact.step);
    if (known === undefined) bySteps.set(fact.step, new Set([fact.env]));
    else known.add(fact.env);
  }
  for (const [step, envs] of bySteps) {
    const identity = [...envs].sort().join(" | ");
    yield [step, { identity, text: identity === "" ? "TypeScript" : identity }];
  }
}

const ID_SHOWN = 16;

async function codeItems(
  records: Records,
  { old, now, ofStep }: Pick<RunsDiff, "old" | "now"> & { readonly ofStep: OfStep },
): Promise<DiffItem[]> {
  const codes = ({ started }: RunSubject): Map<string, Compared> =>
    new Map(
      Object.entries(started.codes)
        .filter(([step]) => ofStep(step))
        .map(([step, code]) => [step, { identity: code, text: code.slice(0, ID_SHOWN) }]),
    );
  const items = compareNamed(codes(old), codes(now));
  if (items.every(({ change }) => change !== "changed")) return items;
  const packages = await Promise.all(
    [old, now].map(({ started }) => records.flowPackage(started.packageId)),
  );
  return items.map((item) => {
    const [before, after] = packages.map(({ steps }) => steps[item.name]);
    if (item.change !== "changed" || before === undefined || after === undefined) return item;
    const changes = diffCode(before, after);
    const lines = changes.flatMap(({ what, how, name, file, line, lines: code }) => [
      [what, name, how, file === undefined ? "" : `${file}:${line ?? 1}`]
        .filter((word) => word !== "")
        .join(" "),
      ...code.map(({ sign, text }) => `  ${sign}${text}`),
    ]);
    const environment =
      environmentIdOf(before) === environmentIdOf(after) ? {} : { environment: true };
    return {
      ...item,
      of: "code",
      summary: `${item.a} → ${item.b}${lines[0] === undefined ? "" : `: ${lines[0]}`}`,
      lines: lines.slice(1, DIFF_SHOWN_MAX),
      details: { changes, ...environment },
      ...(lines.length > DIFF_SHOWN_MAX ? { isCut: true } : {}),
    };
  });
}

async function artifactItems(
  reader: ValueReader,
  { old, now, ofStep }: Pick<RunsDiff, "old" | "now"> & { readonly ofStep: OfStep },
): Promise<DiffItem[]> {
  // Two single tasks are compared even where they are not called the same.
  const isUnnamed = old.isTask && now.isTask;
  const refsOf = ({ facts }: RunSubject): Map<string, ArtifactRef> => {
    const refs = new Map<string, ArtifactRef>();
    for (const [task, fact] of facts)
      for (const [name, ref] of Object.entries(fact?.outputs ?? {}))
        if (ofStep(task)) refs.set(isUnnamed ? name : `${task}/${name}`, ref);
    return refs;
  };
  for (const { facts, text } of [old, now]) {
    const lost = [...facts.values()].filter((fact) => fact === undefined).length;
    if (lost > 0)
      reader.note(`${lost} tasks of ${text} are not known here: their peers do not answer`);
  }
  const [before, after] = [refsOf(old), refsOf(now)];
  const compared = (refs: ReadonlyMap<string, ArtifactRef>): Map<string, Compared> =>
    new Map(
      [...refs].map(([name, { id, kind, bytes }]) => [
        name,
        { identity: id, text: `${kind}, ${bytes} bytes` },
      ]),
    );
  const items = compareNamed(compared(before), compared(after));
  const changed = items.filter(({ change }) => change === "changed");
  const pairs = changed.flatMap(({ name }) => {
    const [a, b] = [before.get(name), after.get(name)];
    return a === undefined || b === undefined ? [] : [{ name, a, b }];
  });
  const diffs = await reader.diffs(pairs);
  return items.map((item) => ({ ...item, ...diffs.get(item.name) }));
}

async function diffValuesOf(
  reader: ValueReader,
  old: ValueSubject,
  now: ValueSubject,
  isAll: boolean,
): Promise<DiffSection> {
  const textOf = (id: Cid, path: readonly string[]): string => [`c:${id}`, ...path].join(".");
  const named = ({ values }: ValueSubject): Map<string, Compared> =>
    new Map(
      [...values].map(([name, { id, path }]) => {
        const text = textOf(id, path);
        return [name, { identity: text, text }];
      }),
    );
  const items = compareNamed(named(old), named(now));
  const described: DiffItem[] = [];
  let compared = 0;
  for (const item of items) {
    const [a, b] = [old.values.get(item.name), now.values.get(item.name)];
    if (item.change !== "changed" || a === undefined || b === undefined) {
      described.push(item);
      continue;
    }
    if (compared++ >= VALUES_COMPARED_MAX) {
      described.push(item);
      continue;
    }
    const found: ValueDiff | undefined = await reader.diff(a, b);
    // Parts of two different artifacts may be equal.
    described.push(found === undefined ? { ...item, change: "same" } : { ...item, ...found });
  }
  if (compared > VALUES_COMPARED_MAX)
    reader.note(`${compared - VALUES_COMPARED_MAX} values differ that were not looked into`);
  return sectionOf("value", described, isAll);
}
