/** Times and bounds of ownership, first form. */

/** Peers beside the owner that hold a run's journal: two deaths are survived. */
export const KEEPERS_COUNT = 2;

/** The next in rank waits this much longer: usually one peer claims, and it has done so by then. */
export const CLAIM_STAGGER_MS = 1500;

/** A restarted holder that does not see a run's owner gives membership this long to find it. */
export const UNSEEN_OWNER_WAIT_MS = 5000;

/** The others are asked what they know before a claim; who does not answer by then is left out. */
export const ASK_TIMEOUT_MS = 1000;
/** They are asked again at most this often. */
export const ASK_INTERVAL_MS = 500;

/** A restarted owner waits this long for a keeper to answer before it goes on alone. */
export const RECOVER_ALONE_MS = 3000;

/** One page to a keeper: its disk syncs, and it may be a slow one. */
export const APPEND_TIMEOUT_MS = 10_000;
/**
 * Between pages to keepers that have all but the latest entries: each costs both sides a message and the keeper a sync, which in a
 * chain of short tasks was one a task. What an owner alone has when it dies is made again: so much more work, at most.
 */
export const APPEND_PAUSE_MS = 20;
/** A keeper that did not take a page is sent it again after this. */
export const APPEND_RETRY_MS = 1000;

/** A keeper brings package and parameters, megabytes at most. */
export const KEEP_TIMEOUT_MS = 30_000;

/** A holder that has heard nothing of a run for so long asks its owner: a former keeper gets the end that way. */
export const WATCH_SYNC_MS = 30_000;

/** `mf submit` waits this long for the copies of a new run. */
export const SUBMIT_WAIT_MS = 5000;

/** The peer that takes a run over pulls what it lacks and writes one entry. */
export const HAND_OVER_TIMEOUT_MS = 10_000;

/** A run that could not be gone on with (its package is unreachable, the disk is full) is tried again after this, then less often. */
export const RESUME_RETRY_MS = 1000;
export const RESUME_RETRY_MS_MAX = 60_000;
/** A run that went on for so long before it broke off again is retried as if for the first time. */
export const RESUME_CALM_MS = 120_000;

/** Latest entries an owner keeps in memory for its keepers; who lags further is served from the store. */
export const RECENT_BYTES_MAX = 4 * 1024 * 1024;

/** Of a run that has ended. */
export const ENDED_RECENT_BYTES_MAX = 64 * 1024;

/** An ended run whose former holders are away is remembered so long, to tell them when they are back. */
export const ENDED_HOLD_MS = 3_600_000;
/** What is over leaves memory after this: others tend to ask right then. */
export const FORGET_AFTER_MS = 1000;

/** Of a page: small content beside the facts. The rest is brought when it is needed. */
export const PAGE_INLINE_BYTES_MAX = 1024 * 1024;
/** Of a page: entries and the tasks they name. */
export const PAGE_ENTRIES = 256;
export const PAGE_TASKS = 256;
export const PAGE_ENTRY_BYTES_MAX = 1024 * 1024;

/** Runs of others that go on and are kept here at once. More are refused, and their owners choose another keeper. */
export const KEPT_RUNS_MAX = 4096;

/** Entries of one journal: ten million tasks in the smallest commits. */
export const JOURNAL_ENTRIES_MAX = 10_000_000;
