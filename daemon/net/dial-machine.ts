/**
 * When to dial a peer that we keep: at once, at once again when a connection broke, and after every failure with a pause that
 * grows and never ends. Pure: chance comes with the event. See README N6 and N7.
 */
export type DialState =
  | { readonly k: "dialling"; readonly failureCount: number }
  | { readonly k: "pausing"; readonly failureCount: number }
  | { readonly k: "connected" };

export type DialEvent =
  | { readonly t: "connected" }
  | { readonly t: "disconnected" }
  /** `chance` is uniform in [0, 1). */
  | { readonly t: "failed"; readonly chance: number }
  | { readonly t: "pause-over" }
  /** Another address is known: worth a try now. */
  | { readonly t: "address-added" };

export type DialEffect =
  | { readonly t: "dial" }
  | { readonly t: "pause"; readonly ms: number }
  | { readonly t: "cancel-pause" };

export interface DialStep {
  readonly state: DialState;
  readonly effects: readonly DialEffect[];
}

/** Where two peers learn of each other at once, the one with the bigger id lets the other dial: half the handshakes. */
export const DIAL_PATIENCE_MS = 150;
/** First pause: a daemon that restarts is back within a second. */
export const DIAL_PAUSE_MS = 250;
/** Longest pause: a workstation that was switched on again is found within half a minute. */
export const DIAL_PAUSE_MS_MAX = 30_000;
/** Half of each pause is chance, so that a mesh that lost its power does not dial in step. */
const JITTER = 0.5;

const FIRST_DIAL: DialStep = {
  state: { k: "dialling", failureCount: 0 },
  effects: [{ t: "dial" }],
};

export function firstDial(isPatient: boolean): DialStep {
  if (!isPatient) return FIRST_DIAL;
  const state: DialState = { k: "pausing", failureCount: 0 };
  return { state, effects: [{ t: "pause", ms: DIAL_PATIENCE_MS }] };
}

export function stepDial(state: DialState, event: DialEvent): DialStep {
  switch (event.t) {
    case "connected":
      return {
        state: { k: "connected" },
        effects: state.k === "pausing" ? [{ t: "cancel-pause" }] : [],
      };
    case "disconnected":
      return state.k === "connected" ? FIRST_DIAL : { state, effects: [] };
    case "failed":
      return state.k === "dialling"
        ? pause(state.failureCount, event.chance)
        : { state, effects: [] };
    case "pause-over":
      return state.k === "pausing" ? dial(state.failureCount, []) : { state, effects: [] };
    case "address-added":
      return state.k === "pausing"
        ? dial(state.failureCount, [{ t: "cancel-pause" }])
        : { state, effects: [] };
  }
}

function dial(failureCount: number, before: readonly DialEffect[]): DialStep {
  return { state: { k: "dialling", failureCount }, effects: [...before, { t: "dial" }] };
}

function pause(failureCount: number, chance: number): DialStep {
  const longest = Math.min(DIAL_PAUSE_MS * 2 ** failureCount, DIAL_PAUSE_MS_MAX);
  const ms = Math.round(longest * (1 - JITTER * chance));
  return { state: { k: "pausing", failureCount: failureCount + 1 }, effects: [{ t: "pause", ms }] };
}
