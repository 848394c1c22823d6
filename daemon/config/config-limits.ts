/** Limits of what a daemon can be told. */
/** As long as a certificate's name may be. */
export const NAME_CHARS_MAX = 64;
/** Labels travel with every profile. */
export const LABELS_MAX = 32;
export const LABEL_CHARS_MAX = 64;
/** Addresses to listen on. */
export const LISTEN_MAX = 8;
/** A daemon with less memory cannot run one step host. */
export const MEM_BYTES_MIN = 64 * 1024 ** 2;
/** The store's smallest quota: a few chunks and its index. */
export const STORE_BYTES_MIN = 64 * 1024 ** 2;
/** A tenth of a core still makes progress; less is a mistake. */
export const CPUS_MIN = 0.1;
/** home/daemon.json: a name and a few ports. */
export const REMEMBERED_BYTES_MAX = 64 * 1024;
