/**
 * How many attempts of a step travel together. Small ones are cheap only in company (ten thousand no-ops must not be ten
 * thousand messages); long ones must not queue behind each other while a slot is free.
 */

/** A batch should keep a worker busy about this long. */
export const BATCH_WORK_MS = 100;

/** A worker gives back what it has not begun after this long, so a wrong guess costs little. */
export const BATCH_YIELD_MS = 200;

/** Bounds the work of one commit and of one turn of the loop (a message of 512 blocks it for over 20 ms). */
export const BATCH_ATTEMPTS_MAX = 128;

/** Sent first, while nothing is known about a step. */
export const BATCH_ATTEMPTS_FIRST = 4;

/** What was learnt about a step's attempts. */
export interface DurationEstimate {
  readonly count: number;
  readonly meanMs: number;
}

export const DURATION_UNKNOWN: DurationEstimate = { count: 0, meanMs: 0 };

/** The mean of the last fifty or so: early attempts (cold code) fade. */
export function learnDuration(estimate: DurationEstimate, wallMs: number): DurationEstimate {
  const count = Math.min(estimate.count + 1, 50);
  return { count, meanMs: estimate.meanMs + (wallMs - estimate.meanMs) / count };
}

export interface BatchSizeQuestion {
  readonly ready: number;
  /** Workers that could share what is ready. */
  readonly slots: number;
  readonly estimate: DurationEstimate;
}

/** At most an equal share of what is ready, so that work spreads over all slots to the end. */
export function batchSize({ ready, slots, estimate }: BatchSizeQuestion): number {
  const share = Math.ceil(ready / Math.max(1, slots));
  const wanted =
    estimate.count === 0
      ? BATCH_ATTEMPTS_FIRST
      : Math.floor(BATCH_WORK_MS / Math.max(estimate.meanMs, 0.001));
  return Math.max(1, Math.min(share, wanted, BATCH_ATTEMPTS_MAX));
}
