/** Files of one source. Their list is a value that travels and is gone through. */
export const SOURCE_FILES_MAX = 100_000;
/** Names looked at on the way, so that a glob over a whole disk ends. */
export const SOURCE_NAMES_MAX = 2_000_000;
/** Directories inside one another. */
export const SOURCE_DEPTH_MAX = 64;
/** What the braces of one glob may multiply to. */
export const GLOB_ALTERNATIVES_MAX = 256;
/** Files stored at a time: small ones share a sync. */
export const STORED_AT_ONCE_MAX = 16;
/** Smaller files are hashed sooner than they are looked up. */
export const REMEMBERED_BYTES_MIN = 1024 * 1024;
/** Files whose ids are remembered: those used last. */
export const REMEMBERED_FILES_MAX = 10_000;
/** Of the file in which they are remembered. */
export const CACHE_BYTES_MAX = 16 * 1024 * 1024;
/** A file written this shortly before it was read may change again without a new time. */
export const SETTLED_MS = 2_000;
