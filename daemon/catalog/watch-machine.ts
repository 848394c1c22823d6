/**
 * Follows a run from anywhere: finds its owner, asks again and again what is new, finds the next owner when that one falls silent.
 * Pure: events in, effects out.
 */
import type { RunEvent, RunProgress, RunResult } from "../../src/engine/run-api.ts";
import { LOCATE_PAUSE_MS, OWNER_HOPS_MAX, POLL_MS, POLL_PAUSE_MS } from "./catalog-limits.ts";
import type { OwnerRef } from "./live-runs.ts";

export interface OwnerAnswer {
  readonly isOwner: boolean;
  readonly owner?: OwnerRef;
  readonly feed?: string;
  readonly progress?: RunProgress;
  readonly peers?: Readonly<Record<string, number>>;
  readonly events: readonly { readonly seq: number; readonly event: RunEvent }[];
  readonly result?: RunResult;
}

export interface WatchState {
  readonly phase: "new" | "locating" | "asking" | "waiting" | "done";
  readonly owner?: OwnerRef;
  /** Of the owner's events: which sequence, and the last number of it that was seen. */
  readonly feed?: string;
  readonly after: number;
  /** Peers asked one after another because each pointed at the next. */
  readonly hops: number;
}

export type WatchMachineEvent =
  | { readonly t: "begin"; readonly owner: OwnerRef | undefined }
  | { readonly t: "located"; readonly owner: OwnerRef | undefined }
  /** Undefined: no answer came. */
  | { readonly t: "answered"; readonly answer: OwnerAnswer | undefined }
  | { readonly t: "waited" };

export type WatchEffect =
  | { readonly t: "locate" }
  | {
      readonly t: "ask";
      readonly owner: OwnerRef;
      readonly feed: string | undefined;
      readonly after: number;
    }
  | { readonly t: "tell-event"; readonly event: RunEvent }
  | {
      readonly t: "tell-progress";
      readonly progress: RunProgress;
      readonly owner: string;
      readonly peers: Readonly<Record<string, number>> | undefined;
    }
  | { readonly t: "wait"; readonly ms: number }
  | { readonly t: "finish"; readonly result: RunResult };

export interface WatchStep {
  readonly state: WatchState;
  readonly effects: readonly WatchEffect[];
}

export const WATCH_BEGIN: WatchState = { phase: "new", after: 0, hops: 0 };

export function stepWatch(state: WatchState, event: WatchMachineEvent): WatchStep {
  switch (event.t) {
    case "begin":
      return event.owner === undefined ? locating(state) : asking(state, event.owner);
    case "located":
      if (event.owner === undefined) {
        const { owner: _lost, ...rest } = state;
        return waiting({ ...rest, hops: 0 }, LOCATE_PAUSE_MS);
      }
      return asking({ ...state, hops: 0 }, event.owner);
    case "waited":
      return state.owner === undefined ? locating(state) : asking(state, state.owner);
    case "answered":
      return answered(state, event.answer);
  }
}

function answered(state: WatchState, answer: OwnerAnswer | undefined): WatchStep {
  if (answer === undefined) return locating(state);
  const { isOwner, feed, result } = answer;
  if (!isOwner && result === undefined) {
    const { owner } = answer;
    const isNew = owner !== undefined && owner.peer !== state.owner?.peer;
    if (!isNew || state.hops >= OWNER_HOPS_MAX) return locatingLater(state);
    return asking({ ...state, hops: state.hops + 1 }, owner);
  }
  const effects: WatchEffect[] = [];
  // Another feed counts from its own beginning.
  let after = feed === state.feed ? state.after : 0;
  for (const { seq, event } of answer.events) {
    if (seq <= after) continue;
    after = seq;
    effects.push({ t: "tell-event", event });
  }
  if (answer.progress !== undefined)
    effects.push({
      t: "tell-progress",
      progress: answer.progress,
      owner: state.owner?.name ?? "",
      peers: answer.peers,
    });
  if (result !== undefined) {
    effects.push({ t: "finish", result });
    return { state: { ...state, phase: "done" }, effects };
  }
  const { feed: _before, ...rest } = state;
  const next = waiting(
    { ...rest, after, hops: 0, ...(feed === undefined ? {} : { feed }) },
    POLL_PAUSE_MS,
  );
  return { state: next.state, effects: [...effects, ...next.effects] };
}

function asking(state: WatchState, owner: OwnerRef): WatchStep {
  return {
    state: { ...state, phase: "asking", owner },
    effects: [{ t: "ask", owner, feed: state.feed, after: state.after }],
  };
}

function locating(state: WatchState): WatchStep {
  return { state: { ...state, phase: "locating" }, effects: [{ t: "locate" }] };
}

/** The owner of a moment ago says it is none: everybody is asked, but not in a tight circle. */
function locatingLater(state: WatchState): WatchStep {
  const { owner: _former, ...rest } = state;
  return waiting({ ...rest, hops: 0 }, POLL_MS);
}

function waiting(state: WatchState, ms: number): WatchStep {
  return { state: { ...state, phase: "waiting" }, effects: [{ t: "wait", ms }] };
}
