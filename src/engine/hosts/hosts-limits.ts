/** Limits of step hosts, each with its unit and reason. */

/** One frame between engine and host: a batch with its inline inputs, or its inline outputs. */
export const FRAME_BYTES_MAX = 512 * 1024 * 1024;
/** From ctx.signal's abort to the kill: time to close files. */
export const STOP_GRACE_MS = 2_000;
/** How often a host looks at deadlines and, every fifth time, at its resident memory. */
export const WATCH_INTERVAL_MS = 20;
/** Content kept for all threads of a process. */
export const CONTENT_CACHE_BYTES_MAX = 512 * 1024 * 1024;
/** From the end of a Python process to the end of its attempt, at most: time to read what it printed last. */
export const PYTHON_LAST_WORDS_MS = 500;
