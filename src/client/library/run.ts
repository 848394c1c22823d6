/** A run: how it stands, its steps, what it made, how it is called. */
import { finalSteps } from "../../graph/queries.ts";
import { delay } from "../../env/clock.ts";
import { MfError } from "../../model/errors.ts";
import type { RunState, RunSummary, TaskCounts } from "../../model/journal.ts";
import { checkGivenTag, marksByRun, runMarks, systemTags } from "../../model/run-tags.ts";
import { hasEnded } from "../run-result.ts";
import type { RunStatus } from "../runs.ts";
import type { Artifact } from "./artifact.ts";
import type { Library } from "./library.ts";
import { logsOf, type LogLine } from "./run-logs-of.ts";
import { RunRecord } from "./run-record.ts";
import { Step } from "./step.ts";
import { Task } from "./task.ts";
import type { TaskFilter } from "./step.ts";

export interface RunTags {
  /** What people gave it, and what it has by itself (`user:ada`, `state:failed`). */
  readonly all: readonly string[];
  readonly user: readonly string[];
  readonly system: readonly string[];
}

export interface WatchOptions {
  /** Between two looks, ms. @default WATCH_MS */
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

const WATCH_MS = 400;

export class Run {
  /** `flow/id`. */
  readonly pathspec: string;
  readonly flow: string;
  readonly id: string;
  readonly #record: RunRecord;

  constructor(library: Library, summary: RunSummary) {
    this.#record = new RunRecord(library, summary);
    this.pathspec = this.#record.text;
    this.flow = summary.run.flow;
    this.id = summary.run.id;
  }

  /** As of when it was read; `refresh` reads it again, `watch` and `wait` too. */
  get state(): RunState {
    return this.#record.summary.state;
  }

  get successful(): boolean {
    return this.state === "succeeded";
  }

  get finished(): boolean {
    return hasEnded(this.#record.summary);
  }

  get user(): string {
    return this.#record.summary.user;
  }

  /** The flow file it was begun with. */
  get file(): string {
    return this.#record.summary.file;
  }

  /** ms since 1970. */
  get createdAt(): number {
    return this.#record.summary.createdAt;
  }

  get finishedAt(): number | undefined {
    return this.#record.summary.finishedAt;
  }

  get counts(): TaskCounts {
    return this.#record.summary.counts;
  }

  get project(): string | undefined {
    return this.#record.summary.project;
  }

  get branch(): string | undefined {
    return this.#record.summary.branch;
  }

  /** The run that this one repeats or goes on with. */
  get originPathspec(): string | undefined {
    return this.#record.summary.origin?.run;
  }

  async refresh(): Promise<this> {
    await this.#record.refresh();
    return this;
  }

  /** Step by step, as it stands now. */
  status(): Promise<RunStatus> {
    return this.#record.library.records.side.status(this.pathspec);
  }

  /** Parameters as they were typed, by name. */
  async params(): Promise<Readonly<Record<string, string>>> {
    return (await this.#record.started()).paramTexts;
  }

  /** The value of a parameter. @throws MfError PATHSPEC_NOT_FOUND */
  async param<T = unknown>(name: string): Promise<T> {
    const { params } = await this.#record.started();
    const id = Object.hasOwn(params, name) ? params[name] : undefined;
    if (id !== undefined) return (await this.#record.library.records.value(id)) as T;
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: this.pathspec,
      reason: `it has no parameter ${name}`,
      hint: `It has: ${Object.keys(params).join(", ")}.`,
    });
  }

  /** Step -> the id of the code it ran. */
  async code(): Promise<Readonly<Record<string, string>>> {
    return (await this.#record.started()).codes;
  }

  /** In the order of the flow. */
  async *steps(): AsyncIterable<Step> {
    for (const name of await this.#record.stepNames()) yield new Step(this.#record, name);
  }

  [Symbol.asyncIterator](): AsyncIterator<Step> {
    return this.steps()[Symbol.asyncIterator]();
  }

  /** Whether the flow has it is found out when it is asked for something. */
  step(name: string): Step {
    return new Step(this.#record, name);
  }

  /** Of every step, those that have ended. */
  async *tasks({ state }: TaskFilter = {}): AsyncIterable<Task> {
    const records = (await this.#record.tasks()).filter(
      (task) => state === undefined || task.state === state,
    );
    for await (const [record, fact] of this.#record.withFacts(records))
      yield new Task(this.#record, record, fact);
  }

  /** The last step: the only one that no other reads. @throws MfError PATHSPEC_AMBIGUOUS where there are several */
  async endStep(): Promise<Step> {
    const names = finalSteps(await this.#record.graph());
    const [name] = names;
    if (name !== undefined && names.length === 1) return this.step(name);
    throw new MfError("PATHSPEC_AMBIGUOUS", {
      text: this.pathspec,
      candidates: names.map((step) => `${this.pathspec}/${step}`).join(", "),
    });
  }

  /** An artifact of the last step. @throws MfError PATHSPEC_AMBIGUOUS, PATHSPEC_NOT_FOUND */
  async artifact(name: string): Promise<Artifact> {
    return (await (await this.endStep()).task()).artifact(name);
  }

  /** What the last step made, by name. @throws MfError PATHSPEC_AMBIGUOUS, PATHSPEC_NOT_FOUND */
  async data<T extends object = Record<string, unknown>>(): Promise<T> {
    return (await (await this.endStep()).task()).data<T>();
  }

  logs(): AsyncIterable<LogLine> {
    return logsOf(this.#record, {});
  }

  async tags(): Promise<RunTags> {
    const summary = await this.#record.refresh();
    const { tags } = runMarks(marksByRun(await this.#record.library.records.side.marks()), summary);
    const system = systemTags(summary);
    return { all: [...tags, ...system], user: tags, system };
  }

  async note(): Promise<string | undefined> {
    const marks = marksByRun(await this.#record.library.records.side.marks());
    return runMarks(marks, this.#record.summary).note;
  }

  /** A tag that it has is given once more. @throws MfError TAG_INVALID, TAG_RESERVED */
  addTags(...tags: readonly string[]): Promise<void> {
    return this.replaceTags([], tags);
  }

  /** A tag that it does not have is none. @throws MfError TAG_INVALID, TAG_RESERVED */
  removeTags(...tags: readonly string[]): Promise<void> {
    return this.replaceTags(tags, []);
  }

  /** All of it or nothing. @throws MfError TAG_INVALID, TAG_RESERVED */
  async replaceTags(removed: readonly string[], added: readonly string[]): Promise<void> {
    const { lease, user } = this.#record.library;
    const own = systemTags(this.#record.summary);
    // What it has by itself need not be given.
    const given = added.filter((tag) => !own.includes(tag));
    for (const tag of [...removed, ...given]) checkGivenTag(tag);
    const on = this.pathspec;
    const changes = [
      ...removed
        .filter((tag) => !given.includes(tag))
        .map((name) => ({ kind: "tag", on, name, user }) as const),
      ...given.map((name) => ({ kind: "tag", on, name, user, value: "" }) as const),
    ];
    if (changes.length > 0) await lease.use(({ mark }) => mark(changes));
  }

  /** How it stands whenever that has changed, to its end; at once, and at least once. */
  async *watch({ everyMs = WATCH_MS, signal }: WatchOptions = {}): AsyncIterable<RunStatus> {
    const { clock } = this.#record.library;
    let before = "";
    for (;;) {
      // The end first: what the status then says is the last word.
      const isOver = hasEnded(await this.#record.refresh());
      const status = await this.status();
      const text = JSON.stringify(status);
      if (text !== before) yield status;
      before = text;
      if (isOver || signal?.aborted === true) return;
      await delay(clock, everyMs, signal);
    }
  }

  /** Resolves when it has ended, however. */
  async wait(options: WatchOptions = {}): Promise<this> {
    for await (const _status of this.watch(options));
    return this;
  }

  toString(): string {
    return `Run(${this.pathspec})`;
  }
}
