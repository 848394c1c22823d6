/** Files of one source. Their list is a value that travels and is gone through. */
export const SOURCE_FILES_MAX = 100_000;
/** Names looked at on the way, so that a glob over a whole disk ends. */
export const SOURCE_NAMES_MAX = 2_000_000;
/** Directories inside one another. */
export const SOURCE_DEPTH_MAX = 64;
/** What the braces of one glob may multiply to. */
export const GLOB_ALTERNATIVES_MAX = 256;
/** Files stored at a time: small ones share a sync. A daemon takes no more questions at once. */
export const STORED_AT_ONCE_MAX = 48;
/** Files whose ids are remembered: those used last. */
export const REMEMBERED_FILES_MAX = 100_000;
/** Of the file in which they are remembered. */
export const CACHE_BYTES_MAX = 64 * 1024 * 1024;
/** Ids that are looked up with one question. */
export const ASKED_AT_ONCE_MAX = 4096;
/** A file written this shortly before it was read may change again without a new time. */
export const SETTLED_MS = 2_000;
