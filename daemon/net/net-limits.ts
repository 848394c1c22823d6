/** What the network allows a peer to make us hold, wait for or do. Every constant has its unit and its reason. */

/** Requests of ours that one peer has not answered yet: far above 64 slots times a few questions each. */
export const REQUESTS_WAITING_MAX = 4096;
/** Requests of one peer that we are serving, and the bytes of their queries. */
export const REQUESTS_SERVED_MAX = 4096;
export const REQUEST_BYTES_SERVED_MAX = 64 * 1024 * 1024;

/** Frames of one message each: a name is `/mf/<protocol>/<major>/<question>`. */
export const NAME_BYTES_MAX = 120;
/** A late answer or an unknown notice is skipped, not kept; a length above this is a fault all the same. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;
/** An error record: a code and its details. */
export const ERROR_BYTES_MAX = 64 * 1024;
/** Bigger frames travel in pieces of this size, between which small ones go first: 32 KiB take 3 ms at 100 Mbit/s. */
export const PIECE_BYTES = 32 * 1024;
/** Bytes handed to the stream at once: few system calls, and little that a small frame has to wait for. */
export const SEND_BYTES = 64 * 1024;

/** Bytes that wait for one slow peer. Notices and requests stop here, answers at one and a half, and at twice the link is cut. */
export const QUEUE_BYTES_MAX = 16 * 1024 * 1024;
