/**
 * Makes what happened durable, in order, and only then says so: everything that arrives while one commit is under way
 * goes into the next, up to what one turn of the loop can encode.
 */
import type { Clock } from "../../env/clock.ts";
import type { Fact } from "../../model/fact.ts";
import type { RunRef } from "../../model/ids.ts";
import type { JournalEntry, RunSummary, TaskSucceeded } from "../../model/journal.ts";
import type { InlineContent, Store } from "../../store/ports.ts";
import { COMMIT_TASKS_MAX, OUTCOMES_PER_TURN, SUMMARY_INTERVAL_MS } from "./run-limits.ts";

export interface RunRecorderDeps {
  readonly store: Pick<Store, "commit">;
  readonly clock: Clock;
  /** Lets the event loop turn. */
  readonly turn: () => Promise<void>;
  /** The row of the list of runs, as of now. */
  readonly summary: () => RunSummary;
  /** The store refused: nothing more is recorded. */
  readonly failed: (error: unknown) => void;
}

export interface RecordedPart {
  readonly facts?: readonly Fact[];
  readonly inline?: readonly InlineContent[];
  readonly scratch?: string;
  readonly succeeded?: readonly TaskSucceeded[];
  readonly entries?: readonly JournalEntry[];
  /** Called one by one once the part is durable. */
  readonly after?: readonly (() => void)[];
}

export class RunRecorder {
  readonly #run: RunRef;
  readonly #deps: RunRecorderDeps;
  #waiting: RecordedPart[] = [];
  #isCommitting = false;
  #isBroken = false;
  #keepsFactsOnly = false;
  #summaryAt = -Infinity;
  #idle: (() => void)[] = [];

  constructor(run: RunRef, deps: RunRecorderDeps) {
    this.#run = run;
    this.#deps = deps;
  }

  add(part: RecordedPart): void {
    if (this.#isBroken) return;
    this.#waiting.push(this.#keepsFactsOnly ? factsOf(part) : part);
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    // What else this turn brings shares the commit.
    queueMicrotask(() => void this.#commitAll());
  }

  /** The run is another peer's now: what was made stays true, what is said of the run is no longer ours. */
  keepFactsOnly(): void {
    this.#keepsFactsOnly = true;
    this.#waiting = this.#waiting.map(factsOf);
  }

  /** Resolves when everything added is durable, or the store has refused. */
  idle(): Promise<void> {
    if (!this.#isCommitting) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #commitAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const parts = this.#waiting.splice(0, partsOfCommit(this.#waiting));
        await this.#commit(parts);
        await this.#tell(parts);
      }
    } catch (error) {
      this.#isBroken = true;
      this.#waiting = [];
      this.#deps.failed(error);
    }
    this.#isCommitting = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  async #commit(parts: readonly RecordedPart[]): Promise<void> {
    const at = this.#deps.clock.now();
    const succeeded = parts.flatMap((part) => part.succeeded ?? []);
    const entries: JournalEntry[] =
      succeeded.length > 0 ? [{ t: "tasks-succeeded", at, tasks: succeeded }] : [];
    for (const part of parts) if (part.entries !== undefined) entries.push(...part.entries);
    const monotonic = this.#deps.clock.monotonic();
    const hasEnded = entries.some((entry) => entry.t === "run-finished");
    const isDue = hasEnded || monotonic - this.#summaryAt >= SUMMARY_INTERVAL_MS;
    const hasSummary = isDue && !this.#keepsFactsOnly;
    if (hasSummary) this.#summaryAt = monotonic;
    await this.#deps.store.commit({
      facts: parts.flatMap((part) => part.facts ?? []),
      inline: parts.flatMap((part) => part.inline ?? []),
      scratch: parts.flatMap((part) => part.scratch ?? []),
      ...(entries.length > 0 ? { journal: { run: this.#run, entries } } : {}),
      ...(hasSummary ? { summary: this.#deps.summary() } : {}),
    });
  }

  async #tell(parts: readonly RecordedPart[]): Promise<void> {
    let told = 0;
    for (const part of parts) {
      for (const after of part.after ?? []) {
        after();
        told++;
        if (told % OUTCOMES_PER_TURN === 0) await this.#deps.turn();
      }
    }
  }
}

function factsOf({ facts, inline, scratch }: RecordedPart): RecordedPart {
  return {
    ...(facts === undefined ? {} : { facts }),
    ...(inline === undefined ? {} : { inline }),
    ...(scratch === undefined ? {} : { scratch }),
  };
}

/** At least one, whatever its size: a batch's outcomes share a scratch segment and so a commit. */
function partsOfCommit(waiting: readonly RecordedPart[]): number {
  let tasks = 0;
  let parts = 0;
  for (const part of waiting) {
    tasks += part.succeeded?.length ?? 0;
    if (parts > 0 && tasks > COMMIT_TASKS_MAX) break;
    parts++;
  }
  return parts;
}
