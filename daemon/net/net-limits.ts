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
/**
 * Bigger frames travel in pieces of this size, between which small ones go first: 64 KB take 6 ms at 100 Mbit/s. With the heads of
 * frame and yamux a piece fits one Noise record (65,519 bytes with its tag): a second one would cost as many system calls.
 */
export const PIECE_BYTES = 65_000;
/** Bytes of small frames handed to the stream at once: few system calls, and little that a later one has to wait for. */
export const SEND_BYTES = 65_000;

/** Bytes that wait for one slow peer. Notices and requests stop here, answers at one and a half, and at twice the link is cut. */
export const QUEUE_BYTES_MAX = 16 * 1024 * 1024;

/** Both greetings and both verdicts: three round trips at most, one of them on a busy machine. */
export const GREETING_MS = 3_000;
/** Connections that are being greeted at once. */
export const GREETINGS_MAX = 128;
/** How often links are looked at (link-machine.ts): a machine that vanished is missed after three. */
export const LINK_TICK_MS = 10_000;
/** What is left to send may take so long when we close. */
export const CLOSE_MS = 500;

/** One join: three messages each way and a person's disk. */
export const JOIN_MS = 15_000;
/** Strangers that may talk at once; the next ones dial again. */
export const JOINS_MAX = 8;
/** Strangers that may be connected at once, talking or not. */
export const STRANGERS_MAX = 16;
/** Messages of a join that wait unread: the protocol has one at a time. */
export const JOIN_MESSAGES_MAX = 4;

/** Peers that are kept connected, and addresses of each that are remembered and dialled. */
export const KEPT_MAX = 2_048;
export const ADDRESSES_KEPT_MAX = 16;
/** All addresses of a peer together, and each of them: a handshake takes 20 ms, or seconds while ten daemons start on two cores. */
export const DIAL_MS = 15_000;
export const ADDRESS_DIAL_MS = 5_000;

/** Peers of a full mesh and as many half-made connections again. */
export const CONNECTIONS_MAX = 512;
/** New connections per second and address: a lab sits behind one, and many daemons on one host. */
export const INBOUND_PER_SECOND_MAX = 100;
/** Handshakes under way, about 40 KiB each, and how long one may take. */
export const INBOUND_PENDING_MAX = 64;
export const UPGRADE_MS = 5_000;
/** A connection needs one stream; a few more are tolerated while old ones end. */
export const STREAMS_MAX = 8;
/** yamux: what may be under way unread in one direction. With 256 KiB a busy receiver's window updates set the pace. */
export const WINDOW_BYTES = 1024 * 1024;
export const WINDOW_BYTES_MAX = 4 * 1024 * 1024;
/** What one send may leave in a stream that is full; libp2p cuts the connection above it. A big notice is sent whole. */
export const STREAM_WRITE_BYTES_MAX = FRAME_BYTES_MAX + 1024 * 1024;

/** The same peer's refusal is logged again after this long, and each time after twice as long. */
export const REFUSAL_LOG_MS = 60_000;
export const REFUSAL_LOG_MS_MAX = 3_600_000;
export const REFUSALS_REMEMBERED_MAX = 1_000;

/** How often mDNS asks who is there. */
export const MDNS_INTERVAL_MS = 20_000;
