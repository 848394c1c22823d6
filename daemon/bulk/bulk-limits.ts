/** Every bound of the bulk lane, with unit and reason. */

const MIB = 1024 * 1024;

/** Tickets that nobody has used yet; the oldest give way. */
export const TICKETS_PENDING_MAX = 256;
/** Given to one peer within TICKET_TTL_MS: it opens a lane a fetch thread, keeps it while it has work, and tries a few times. */
export const TICKETS_PER_PEER_MAX = 64;
/** A ticket is used right after it was given; a slow dial over several addresses takes a few seconds. */
export const TICKET_TTL_MS = 30_000;

/** Lanes that are served at once: 1 MiB of buffers each would be 64 MiB, see SERVE_BUFFERS. */
export const LANES_SERVED_MAX = 64;
/** Lanes of one peer: it opens one a fetch thread, and some again. The oldest gives way, so nobody takes them all. */
export const LANES_PER_PEER_MAX = 8;
/** Sockets on the lane's port, strangers without a ticket included: those are gone after HANDSHAKE_MS. */
export const SOCKETS_SERVED_MAX = 512;
/** TLS handshake of a lane, both sides: a stranger holds a socket no longer. */
export const HANDSHAKE_MS = 5000;
/** One address of a peer; there may be several to try. */
export const DIAL_MS = 3000;
/** All addresses of a ticket together: the next round asks somebody else instead. */
export const LANE_OPEN_MS = 10_000;
/** A lane on which nothing moves is closed by the side that serves, ms. */
export const SERVE_IDLE_MS = 15_000;
/** A source that owes bytes and sends none is left, ms. */
export const STALL_MS = 15_000;
/** An open lane without work is kept this long by the side that fetches: the next transfer needs no handshake. */
export const LANE_IDLE_MS = 10_000;

/** One read of a segment and one write to the socket. */
export const SERVE_BUFFER_BYTES = MIB;
/** Read or under way to the socket at once, a lane: what a peer that does not read can make us hold. */
export const SERVE_BUFFERS = 3;
/** Pieces asked for on one lane and not yet sent. A client asks for WINDOW_PIECES_MAX at most. */
export const SERVE_PIECES_QUEUED_MAX = 1024;
/** Pieces whose place is asked of the store at once. */
export const SERVE_LOCATE_MAX = 64;

/** A manifest that is brought, 190,000 chunks: reading one takes the main loop about 50 ms a MiB. */
export const MANIFEST_BYTES_MAX = 16 * MIB;

/** Asked of one source and not yet received: two to four pieces, enough that it never waits for us. */
export const WINDOW_BYTES = 8 * MIB;
/** Many small pieces fit that window. */
export const WINDOW_PIECES_MAX = 256;
/** Once everything is asked for, an idle source is asked again for this many pieces that a slower one owes. */
export const STEAL_PIECES_MAX = 2;
/** Times a lane to one source is opened for one transfer without a piece in between. */
export const LANE_TRIES_MAX = 2;

/** A received segment is finished, fsynced and made part of the store at this size: what a cut can cost at most. */
export const RECEIVED_SEGMENT_BYTES_MAX = 128 * MIB;
/** Pieces of one transfer: larger content goes in several, one after the other. */
export const TRANSFER_PIECES_MAX = 4096;
/** A transfer of this size or more is split over all fetch threads. */
export const SPLIT_BYTES_MIN = 32 * MIB;
/** Threads that fetch: decrypting and hashing is what limits one. They start when needed. */
export const FETCH_THREADS = 2;
/** Fetch threads without work end after this, ms. */
export const FETCH_THREAD_IDLE_MS = 60_000;
/** Between two reports of progress of one thread, ms. */
export const PROGRESS_MS = 100;

/** Transfers at once; one of up to SMALL_BYTES_MAX does not wait for the large ones. */
export const LARGE_TRANSFERS_MAX = 4;
export const SMALL_TRANSFERS_MAX = 12;
export const SMALL_BYTES_MAX = 8 * MIB;
/** Of those from the same peers at once: the next ones wait for these and go together. */
export const GATHERED_AT_ONCE_MAX = 2;
/** Content of this size or more is worth asking everybody, to fetch from several. */
export const MULTI_SOURCE_BYTES_MIN = 16 * MIB;
/** Sources of one transfer. */
export const SOURCES_MAX = 8;
/** Rounds of asking and fetching that brought nothing, after which content is missing. */
export const IDLE_ROUNDS_MAX = 2;
/** Before asking again after a round that brought nothing, ms. */
export const ROUND_PAUSE_MS = 250;
/** A transfer ends, and what is missing is asked for anew, after this and 1 ms a KB. */
export const TRANSFER_MS_BASE = 30_000;
export const TRANSFER_BYTES_PER_MS_MIN = 1000;
/** Left free beside what a transfer brings: the index and journals must still fit. */
export const DISK_RESERVE_BYTES = 64 * MIB;

/** Who has it: a peer that does not answer by then has not. */
export const HAVE_TIMEOUT_MS = 3000;
export const TICKET_TIMEOUT_MS = 5000;
/** Questions of one peer about what is here, answered at once; up to HAVE_WAITING_MAX more of them wait. */
export const HAVE_AT_ONCE_MAX = 4;
export const HAVE_WAITING_MAX = 1024;
/** Peers asked at once. */
export const ASKED_AT_ONCE_MAX = 16;
/** What was learnt of holders is believed this long, ms. */
export const HOLDERS_TTL_MS = 3000;
/** Ids of which holders are remembered; then the memory starts over. */
export const HOLDERS_MAX = 20_000;

/** Copies under way to others at once, and ids in one of them. */
export const SPREAD_AT_ONCE = 2;
export const SPREAD_IDS_MAX = 64;
/** Ids that wait for copies; the oldest are given up first (a later repair finds them). */
export const SPREAD_QUEUE_MAX = 100_000;
/** A peer has this long to fetch one batch. */
export const SPREAD_TIMEOUT_MS = 600_000;
/** Before a copy that failed, or found nobody to hold it, is tried again, ms. */
export const SPREAD_RETRY_MS = 30_000;
/** A peer with less free disk gets no copies. */
export const SPREAD_FREE_BYTES_MIN = 1024 * MIB;
/** Batches of copies that this peer fetches for others at once: in the background, behind what tasks wait for. */
export const HOLD_AT_ONCE_MAX = 2;
/** Batches that wait for that; more are refused and come again later. */
export const HOLD_QUEUE_MAX = 64;
/** Of one peer, behind the one that is fetched: it asks SPREAD_AT_ONCE at a time. */
export const HOLD_WAITING_PER_PEER_MAX = 3;

/** Weight of the latest measurement in a peer's learnt bandwidth. */
export const BANDWIDTH_WEIGHT = 0.3;
/** Shorter stretches say more about latency than about bandwidth. */
export const BANDWIDTH_BYTES_MIN = 256 * 1024;
/** Peers whose bandwidth is remembered. */
export const BANDWIDTH_PEERS_MAX = 2000;
/** Doubts about our own copies looked at, at once: each reads one piece after the other. */
export const DOUBTS_AT_ONCE_MAX = 4;
/** Pieces that one peer may have us read again in DOUBT_WINDOW_MS: up to 256 MiB of our disk's time. */
export const DOUBTED_PIECES_MAX = 64;
export const DOUBT_WINDOW_MS = 60_000;
