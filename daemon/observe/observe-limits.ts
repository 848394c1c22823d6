/** Limits of the daemon's log. */
/** A file is put aside at this size: big enough for days of a quiet daemon, small enough to open in an editor. */
export const LOG_FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Files kept, the current one included: 32 MiB in all. */
export const LOG_FILES_MAX = 4;
/** A longer line is cut: one event must not fill the file. */
export const LOG_LINE_BYTES_MAX = 16 * 1024;
/** Strangers can cause events. Beyond this many in a second, lines are counted instead of written. */
export const LOG_LINES_PER_SECOND_MAX = 500;
/** Deepest value that is written out. */
export const LOG_FIELD_DEPTH_MAX = 4;
/** Between two looks at a log that is followed, ms: feels live, costs nothing. */
export const LOG_FOLLOW_MS = 250;
/** What `mfd logs` shows without --tail, lines. */
export const LOG_TAIL_DEFAULT = 100;
