/** Limits of what one attempt may hold, print and report; each with its unit and reason. */

/** Bytes of log kept for one attempt: enough for any honest step, too little to fill a disk by a loop. */
export const LOG_BYTES_MAX = 16 * 1024 * 1024;
/** Bytes of text in one log record: longer lines are cut into pieces, so that readers hold one piece at a time. */
export const LOG_PIECE_CHARS_MAX = 64 * 1024;
/** Progress is shown to people: ten times a second is as much as they see. */
export const PROGRESS_INTERVAL_MS = 100;
/** Content over this many bytes is read once a process and shared by its threads. */
export const SHARED_CONTENT_BYTES_MIN = 1024 * 1024;
/** Memory that a thread keeps between two attempts for inputs that both read: more is asked of the system anew. */
export const WORKING_COPIES_BYTES_MAX = 256 * 1024 * 1024;
/** Characters of a stack kept in an error record. */
export const STACK_CHARS_MAX = 8_192;
/** Compiled steps kept by a thread. */
export const COMPILED_STEPS_MAX = 64;
/** How long a sample of resident memory is good for: longer attempts get their own. */
export const USAGE_INTERVAL_MS = 20;
