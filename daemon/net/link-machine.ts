/**
 * The life of one connection between members: greet, talk, end. Each side shows its credentials; each says whether it lets the
 * other in; messages pass once both did. Pure: see README N1 to N5.
 */
export type LinkState =
  | { readonly k: "greeting"; readonly isAdmitted: boolean; readonly isWelcomed: boolean }
  | {
      readonly k: "open";
      /** Ticks in a row in which nothing was heard, or nothing could be sent though something waits. */
      readonly quietTicks: number;
      readonly stuckTicks: number;
    }
  | { readonly k: "ended" };

export type LinkEvent =
  /** The other side's credentials were judged. */
  | { readonly t: "judged"; readonly refusal?: string }
  | { readonly t: "welcomed" }
  | { readonly t: "refused"; readonly reason: string }
  | { readonly t: "deadline" }
  | { readonly t: "tick"; readonly hasHeard: boolean; readonly isStuck: boolean }
  | { readonly t: "bye-heard" }
  | { readonly t: "leave" }
  | { readonly t: "fault"; readonly reason: string }
  | { readonly t: "stream-ended" };

/** `denied`: one of the two does not let the other in. */
export type LinkEnd = "closed" | "reset" | "denied";

export type LinkEffect =
  | { readonly t: "send-welcome" }
  | { readonly t: "send-refusal"; readonly reason: string }
  | { readonly t: "send-ping" }
  | { readonly t: "send-bye" }
  | { readonly t: "open" }
  /** After what was said is sent (`isAbrupt`: at once, unsent bytes are thrown away). */
  | {
      readonly t: "end";
      readonly why: LinkEnd;
      readonly reason: string;
      readonly isAbrupt: boolean;
    };

export interface LinkStep {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

/** Silence of one tick is asked about; silence of three means that the other machine is gone, though nobody said so. */
export const QUIET_TICKS_MAX = 3;
/** A peer that reads nothing for three ticks is as good as gone. */
export const STUCK_TICKS_MAX = 3;

export const NO_GREETING = "no greeting in time";

export const GREETING: LinkState = { k: "greeting", isAdmitted: false, isWelcomed: false };

export function stepLink(state: LinkState, event: LinkEvent): LinkStep {
  if (state.k === "ended") return { state, effects: [] };
  switch (event.t) {
    case "judged":
      return judged(state, event.refusal);
    case "welcomed":
      return welcomed(state);
    case "refused":
      return end("denied", event.reason, false);
    case "deadline":
      return state.k === "greeting" ? end("reset", NO_GREETING, true) : stay(state);
    case "tick":
      return tick(state, event);
    case "bye-heard":
      return end("closed", "it said goodbye", false);
    case "leave":
      return end("closed", "we said goodbye", false, [{ t: "send-bye" }]);
    case "fault":
      return end("reset", event.reason, true);
    case "stream-ended":
      return end("reset", "the connection broke", true);
  }
}

function judged(state: LinkState, refusal: string | undefined): LinkStep {
  if (state.k !== "greeting" || state.isAdmitted) return end("reset", "it greeted twice", true);
  if (refusal !== undefined)
    return end("denied", refusal, false, [{ t: "send-refusal", reason: refusal }]);
  return progress({ ...state, isAdmitted: true }, [{ t: "send-welcome" }]);
}

function welcomed(state: LinkState): LinkStep {
  if (state.k !== "greeting" || state.isWelcomed) return end("reset", "it welcomed twice", true);
  return progress({ ...state, isWelcomed: true }, []);
}

function progress(
  state: Extract<LinkState, { k: "greeting" }>,
  effects: readonly LinkEffect[],
): LinkStep {
  if (!state.isAdmitted || !state.isWelcomed) return { state, effects };
  return {
    state: { k: "open", quietTicks: 0, stuckTicks: 0 },
    effects: [...effects, { t: "open" }],
  };
}

function tick(state: LinkState, event: Extract<LinkEvent, { t: "tick" }>): LinkStep {
  if (state.k !== "open") return stay(state);
  const quietTicks = event.hasHeard ? 0 : state.quietTicks + 1;
  const stuckTicks = event.isStuck ? state.stuckTicks + 1 : 0;
  if (quietTicks >= QUIET_TICKS_MAX) return end("reset", "it fell silent", true);
  if (stuckTicks >= STUCK_TICKS_MAX) return end("reset", "it reads nothing", true);
  const effects: LinkEffect[] = quietTicks > 0 ? [{ t: "send-ping" }] : [];
  return { state: { k: "open", quietTicks, stuckTicks }, effects };
}

function end(
  why: LinkEnd,
  reason: string,
  isAbrupt: boolean,
  before: readonly LinkEffect[] = [],
): LinkStep {
  return { state: { k: "ended" }, effects: [...before, { t: "end", why, reason, isAbrupt }] };
}

function stay(state: LinkState): LinkStep {
  return { state, effects: [] };
}
