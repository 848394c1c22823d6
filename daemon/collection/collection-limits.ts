/** How often a peer collects on its own, and how long it waits for others. */

/** A peer collects so often whatever happens, and so long after it learnt of removals at most. */
export const COLLECT_INTERVAL_MS = 24 * 60 * 60_000;
/** So often it asks the others what was removed. */
export const LOOK_INTERVAL_MS = 5 * 60_000;
/** Spread over so much of the interval, so that not all peers do it at once. */
export const LOOK_SPREAD = 0.2;

/** Between the watch for what is used and the look at what goes on: a submission that was under way is a run by then. */
export const SETTLE_MS = 1_000;

/** A daemon that starts waits so long at most to learn what was removed while it was away. */
export const START_MS_MAX = 1_000;

/** A list, or a journal. */
export const ASK_MS_MAX = 5_000;
/** Looking into long values. */
export const ASK_FILES_MS_MAX = 60_000;
/** A sweep of another peer: it reads all of its index and copies what stays. */
export const ASK_SWEEP_MS_MAX = 10 * 60_000;

/** Runs, removals and entries of one journal taken from one peer: with more, it is as if it had not answered. */
export const ROWS_MAX = 200_000;
/** Sweeps of this peer that may wait for the one that goes on. */
export const SWEEPS_WAITING_MAX = 4;
