/** How long others are waited for and how much is asked of them. */

/** A peer that is alive answers a look-up in a few ms; one that is slower than this is named and left out. */
export const ASK_MS_MAX = 1_000;

/** Listing versions folds journals: slower on a peer with many runs. */
export const ASK_LIST_MS_MAX = 3_000;

/** Rows taken of one peer's list: about 5 MB of runs. */
export const ROWS_PER_PEER_MAX = 10_000;

/** Pages of versions taken of one peer for one group of runs. */
export const VERSION_PAGES_MAX = 256;

/** Tasks of one step that a pathspec may name across the mesh: ten times the engine's own limit. */
export const TASKS_RESOLVED_MAX = 100_000;

/** Ids whose holders are asked for at once, and in all: the newest versions come first. */
export const HOLDERS_BATCH = 512;
export const HOLDERS_MAX = 8_192;

/** Questions served at once, and those that may wait for it: a list is a walk through journals. */
export const SERVED_MAX = 8;
export const SERVED_WAITING_MAX = 256;

/** A display redraws ten times a second, a person reads four: the owner answers that often, and at once when the run ends. */
export const POLL_MS = 225;
/** Between an answer and the next question: an owner that never waits is not asked in a tight circle. */
export const POLL_PAUSE_MS = 25;

/** Nobody says that he owns the run: the next owner takes over within seconds. */
export const LOCATE_PAUSE_MS = 500;

/** Peers that point at each other as the owner are asked so many times before everybody is. */
export const OWNER_HOPS_MAX = 3;

/** Runs watched at once; the one that was asked for the longest time ago goes first. */
export const FEEDS_MAX = 256;
/** A watcher that does not come back within this is gone. */
export const FEED_IDLE_MS = 60_000;
/** Events kept for watchers that are behind: 1 MB at most; an older one is lost to them, the progress is not. */
export const FEED_EVENTS_MAX = 512;
/** Who did how much is counted from the journal: seldom, for it is a walk through it. */
export const WORK_INTERVAL_MS = 2_000;
/** At most one part in so many of the time is spent on that. */
export const WORK_PAUSES = 50;

/** An error travels with this much of its stack, and this much of its details. */
export const STACK_CHARS_MAX = 8_192;
export const DETAILS_CHARS_MAX = 8_192;
export const NOTE_CHARS_MAX = 512;

/** Followed logs: what is printed is seen within half a second; with more peers than this less often, for all are asked. */
export const LOG_POLL_MS = 250;
export const LOG_POLL_PEERS = 10;
/** Pages of all files that are merged at once share this; each gets at least the smallest. */
export const LOG_BUFFER_BYTES = 32 * 1024 * 1024;
export const LOG_PAGE_BYTES_MIN = 4 * 1024;
/** Files merged by time: peers times steps. With more, the rest comes after. */
export const LOG_SOURCES_MAX = 4_096;
/** Lines handed on together. */
export const LOG_LINES_BATCH = 500;
