/** Times and bounds of marks between peers. */

/**
 * A mark whose time is so far ahead of this peer's clock is not taken now (when its time has come, it is): whoever could write a mark
 * of the year 9999 could write one that nobody is able to change again. Clocks of peers differ by ten minutes at most when they join.
 */
export const MARK_AHEAD_MS_MAX = 60 * 60 * 1000;

/** One peer after the other is compared with so often: with 50 peers 4 KB each time, and a mark that nobody told is everywhere in minutes. */
export const COMPARE_INTERVAL_MS = 30_000;

/** One question; the other side may have to sync its disk. */
export const ASK_MS_MAX = 5_000;

/** All marks together, in bytes of text: with MARKS_MAX marks some 300 each. */
export const MARKS_BYTES_MAX = 32 * 1024 * 1024;

/** What others tell is written one after the other; so many may wait for it. */
export const WRITES_WAITING_MAX = 128;

/** Questions about one bucket in one go. It has some 400 marks; were all MARKS_MAX in it, 800 would do. */
export const PAGES_PER_BUCKET_MAX = 1_024;

/** Marks read in one go while a daemon starts: hashing a hundred thousand takes most of a second. */
export const LOAD_SLICE = 200;
