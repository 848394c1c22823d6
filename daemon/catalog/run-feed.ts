/**
 * The events of runs that go on here, kept for those who watch from elsewhere: numbered, a bounded number of them, from the first
 * question on until nobody asks any more.
 */
import type { RunEvent, RunResult, StepProgress } from "../../src/engine/run-api.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { ErrorRecord } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import {
  DETAILS_CHARS_MAX,
  FEED_EVENTS_MAX,
  FEED_IDLE_MS,
  FEEDS_MAX,
  NOTE_CHARS_MAX,
  STACK_CHARS_MAX,
  WORK_INTERVAL_MS,
  WORK_PAUSES,
} from "./catalog-limits.ts";
import type { LiveRuns } from "./live-runs.ts";

export interface NumberedEvent {
  readonly seq: number;
  readonly event: RunEvent;
}

export interface RunFeed {
  readonly id: string;
  readonly events: NumberedEvent[];
  result: RunResult | undefined;
  /** Aborts when the run has ended: nobody needs to wait any more. */
  readonly ended: AbortController;
  askedAt: number;
  /** Peer -> tasks, and when and for how long that was counted. */
  work:
    | {
        readonly at: number;
        readonly tookMs: number;
        readonly peers: Readonly<Record<string, number>>;
      }
    | undefined;
  stop: () => void;
}

export class RunFeeds {
  readonly #feeds = new Map<string, RunFeed>();
  readonly #live: LiveRuns;
  readonly #clock: Clock;
  #count = 0;

  constructor(live: LiveRuns, clock: Clock) {
    this.#live = live;
    this.#clock = clock;
  }

  /** Undefined where the run does not go on here and nobody watched its end. */
  get(run: RunRef): RunFeed | undefined {
    const now = this.#clock.monotonic();
    this.#sweep(now);
    const key = runText(run);
    const feed = this.#feeds.get(key) ?? this.#begin(run, now);
    if (feed === undefined) return undefined;
    feed.askedAt = now;
    // Last asked, last out.
    this.#feeds.delete(key);
    this.#feeds.set(key, feed);
    return feed;
  }

  /** The run has left this peer. */
  drop(run: RunRef): void {
    const key = runText(run);
    this.#feeds.get(key)?.stop();
    this.#feeds.delete(key);
  }

  close(): void {
    for (const feed of this.#feeds.values()) feed.stop();
    this.#feeds.clear();
  }

  #begin(run: RunRef, now: number): RunFeed | undefined {
    const feed: RunFeed = {
      id: `${this.#clock.now()}.${this.#count++}`,
      events: [],
      result: undefined,
      ended: new AbortController(),
      askedAt: now,
      work: undefined,
      stop: () => undefined,
    };
    let seq = 0;
    const stop = this.#live.subscribe(run, (event) => {
      feed.events.push({ seq: ++seq, event: trimEvent(event) });
      if (feed.events.length > FEED_EVENTS_MAX) feed.events.shift();
      if (event.t !== "run-finished") return;
      feed.result = trimResult(event.result);
      feed.ended.abort();
    });
    if (stop === undefined) return undefined;
    feed.stop = stop;
    return feed;
  }

  #sweep(now: number): void {
    for (const [key, feed] of this.#feeds) {
      if (now - feed.askedAt <= FEED_IDLE_MS && this.#feeds.size < FEEDS_MAX) break;
      feed.stop();
      this.#feeds.delete(key);
    }
  }
}

/** A walk through a long journal is made as much more seldom; the end of a run does not wait for one. */
export function isWorkOld(
  { work, result }: Pick<RunFeed, "work" | "result">,
  now: number,
): boolean {
  if (work === undefined) return true;
  return (
    result === undefined && now - work.at >= Math.max(WORK_INTERVAL_MS, work.tookMs * WORK_PAUSES)
  );
}

/** What a step says of itself may be of any length; what travels may not. */
export function trimProgress(step: StepProgress): StepProgress {
  return step.note === undefined || step.note.length <= NOTE_CHARS_MAX
    ? step
    : { ...step, note: step.note.slice(0, NOTE_CHARS_MAX) };
}

export function trimResult(result: RunResult): RunResult {
  const failures = result.failures.map((failure) => ({
    ...failure,
    error: trimError(failure.error),
  }));
  return { ...result, failures };
}

function trimEvent(event: RunEvent): RunEvent {
  if (event.t === "step-finished") return { ...event, progress: trimProgress(event.progress) };
  if (event.t === "run-finished") return { ...event, result: trimResult(event.result) };
  if (event.t !== "attempt-failed") return event;
  const { failure } = event;
  return { ...event, failure: { ...failure, error: trimError(failure.error) } };
}

export function trimError({ code, details, stack }: ErrorRecord): ErrorRecord {
  const text = JSON.stringify(details);
  const kept =
    text.length <= DETAILS_CHARS_MAX
      ? (JSON.parse(text) as ErrorRecord["details"])
      : { message: text.slice(0, DETAILS_CHARS_MAX) };
  return {
    code,
    details: kept,
    ...(stack === undefined ? {} : { stack: stack.slice(0, STACK_CHARS_MAX) }),
  };
}
