/** What goes into and comes out of the run machine: events are past, effects are orders. */
import type { ErrorRecord } from "../../model/errors.ts";
import type { Fact, InputSource } from "../../model/fact.ts";
import type { JournalEntry, RunState } from "../../model/journal.ts";
import type { GivenValues } from "./input-resolution.ts";
import type { ReuseRule, RunHistory } from "./run-history.ts";
import type { ElementList, LevelUnit, SwitchUnit, TaskUnit } from "./run-units.ts";

/** What a run is given besides its plan. */
export interface RunMachineOptions extends ReuseRule {
  readonly given: GivenValues;
  readonly seed: string;
  readonly tasksMax: number;
  /** Of a run that is gone on with. */
  readonly history?: RunHistory;
}

export type RunMachineEvent =
  | { readonly t: "started" }
  /** `fact` undefined: nothing usable is stored, the task has to run. `isOthers`: another run made it while this one waited. */
  | {
      readonly t: "looked-up";
      readonly task: TaskUnit;
      readonly fact: Fact | undefined;
      readonly isOthers?: boolean;
    }
  | {
      readonly t: "elements-loaded";
      readonly level: LevelUnit;
      readonly position: number;
      readonly list: ElementList;
    }
  | { readonly t: "elements-refused"; readonly level: LevelUnit; readonly error: ErrorRecord }
  /** The value a switch reads, as text. */
  | { readonly t: "value-read"; readonly unit: SwitchUnit; readonly value: string }
  | { readonly t: "value-refused"; readonly unit: SwitchUnit; readonly error: ErrorRecord }
  | { readonly t: "attempt-started"; readonly task: TaskUnit }
  /** The fact is durable. */
  | { readonly t: "attempt-succeeded"; readonly task: TaskUnit; readonly fact: Fact }
  /** `by`: name of the peer that ran it, where that was another one. */
  | {
      readonly t: "attempt-failed";
      readonly task: TaskUnit;
      readonly error: ErrorRecord;
      readonly by?: string;
    }
  | { readonly t: "attempt-cancelled"; readonly task: TaskUnit }
  /** `error` PEER_LOST or FACT_REFUSED: its peer is gone, or not to be believed. Otherwise its shared host died. */
  | {
      readonly t: "attempt-lost";
      readonly task: TaskUnit;
      readonly error?: ErrorRecord;
      readonly by?: string;
    }
  /** Given back before it began. */
  | { readonly t: "attempt-returned"; readonly task: TaskUnit }
  | { readonly t: "backoff-over"; readonly task: TaskUnit }
  | { readonly t: "cancel-asked" };

/** How many of the questions that the machine asked by effects are answered by it. */
export function answers({ t }: RunMachineEvent): 0 | 1 {
  return t === "looked-up" || t.startsWith("elements-") || t.startsWith("value-") ? 1 : 0;
}

export type RunEffect =
  | { readonly t: "look-up"; readonly task: TaskUnit }
  /** Ready: hand it to the scheduler. `isFront`: it was there before. */
  | { readonly t: "enqueue"; readonly task: TaskUnit; readonly isFront: boolean }
  | {
      readonly t: "load-elements";
      readonly level: LevelUnit;
      readonly position: number;
      readonly source: InputSource;
    }
  | { readonly t: "read-value"; readonly unit: SwitchUnit; readonly source: InputSource }
  | { readonly t: "wake-later"; readonly task: TaskUnit; readonly afterMs: number }
  /** `isOwn`: this run made it, though its journal does not know. */
  | {
      readonly t: "record-reuse";
      readonly task: TaskUnit;
      readonly fact: Fact;
      readonly isOwn: boolean;
    }
  | { readonly t: "record-failure"; readonly failure: AttemptFailure }
  /** Nothing that waits will run: forget queues and timers; `isCancel`: signal what runs. */
  | { readonly t: "stop-starting"; readonly isCancel: boolean }
  | { readonly t: "announce-step"; readonly step: string; readonly what: "started" | "finished" }
  | { readonly t: "finish"; readonly state: RunState; readonly error?: ErrorRecord };

export interface AttemptFailure {
  readonly step: string;
  readonly index: readonly number[];
  readonly attempt: number;
  readonly outcome: "failed" | "lost" | "cancelled";
  /** No attempt follows. */
  readonly isFinal: boolean;
  readonly error: ErrorRecord;
  readonly retryInMs?: number;
  readonly by?: string;
}

/** As the journal keeps it. */
export function failureEntry(
  { step, index, attempt, outcome, isFinal, error, by }: AttemptFailure,
  { at, peer }: { readonly at: number; readonly peer: string },
): JournalEntry {
  return {
    t: "attempt-failed",
    at,
    step,
    index,
    attempt,
    outcome,
    final: isFinal,
    error,
    by: by ?? peer,
  };
}
