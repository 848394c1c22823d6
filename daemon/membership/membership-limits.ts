/** Every bound and pace of membership, with its unit and where it comes from. */

/** Peers a mesh may have: what one remembers, about 6 KB each at most. */
export const PEERS_MAX = 1024;
/** Peers we only heard a hint of (mDNS): nobody vouches for them, so few, the oldest goes. */
export const CANDIDATES_MAX = 64;
/** A peer that said goodbye for good is forgotten after this; others never. */
export const LEFT_KEPT_MS = 30 * 24 * 3600 * 1000;

/** Pace of probes and of anti-entropy (SWIM's protocol period on a LAN). */
export const TICK_MS = 1000;
/** Connected peers that each tick exchanges digests with; one of them is the probed one. */
export const EXCHANGE_PARTNERS = 2;
/** While nothing changes the probed one alone, except every so many ticks: a peer that is called dead is never probed. */
export const CALM_TICKS = 4;
/** How long after a change it is not calm, ms: by then a rumour has gone round a mesh of hundreds. */
export const STIR_MS = 5000;
/** Beyond this many peers a digest is a rotating part, at most this long. */
export const DIGEST_PEERS_MAX = 128;
/** Then every so many ticks a whole one goes to one partner. */
export const FULL_DIGEST_TICKS = 20;

/** A probe's patience: three times the round trip, within these. */
export const PROBE_TIMEOUT_MS_MIN = 500;
export const PROBE_TIMEOUT_MS_MAX = 3000;
export const PROBE_RTT_FACTOR = 3;
/** What the helpers have to answer: their own probe and two trips. */
export const INDIRECT_TIMEOUT_MS = 1000;
export const HELPERS = 3;
/** A helper's own patience: less than what the asker has. */
export const RELAY_TIMEOUT_MS = 700;
/** Probes we run for others at once: more is somebody's flood. */
export const RELAYS_MAX = 256;
/** After this an ack is no measurement any more. */
export const PING_KEPT_MS = 10_000;
/** Pings whose ack may still come; the oldest goes. */
export const PINGS_MAX = 4096;

/** Suspicion lasts at least 4 log10(N) ticks, at most six times that (memberlist's SuspicionMult and MaxTimeoutMult). */
export const SUSPICION_MULT = 4;
export const SUSPICION_MAX_FACTOR = 6;
/** Accusers beyond the first that bring the wait down to its minimum (Lifeguard). */
export const CONFIRMATIONS = 3;
/** An unmet seed is called dead after this, ms: long enough for dials with back-off on a slow link. */
export const SEED_GRACE_MS = 10_000;
/** Who answered us within this is not dead because another says so, ms. */
export const HEARSAY_DOUBT_MS = 2000;
/** A peer that announced its restart is awaited this long, ms: crash-only start takes about two seconds, a slow disk ten. */
export const RESTART_GRACE_MS = 30_000;
/** A refused dial proves that the process is gone only this soon after the connection broke, ms: later, another may have its address. */
export const REFUSED_PROOF_MS = 15_000;

/** Lifeguard's local health: our own missed acks make us this much more patient at most. */
export const HEALTH_MULTIPLIER_MAX = 8;
/** An event loop this late (p99, ms) cannot judge others. */
export const LOOP_DELAY_SICK_MS = 250;
export const LOOP_DELAY_HEALTH = 2;
/** A tick this late shifts every deadline: answers may be waiting in our own queues, ms. */
export const LATE_TICK_MS = 500;
/** The transport is asked for our addresses every so many ticks. */
export const ADDRESS_TICKS = 5;
/** A jump of a clock beyond the tick: this machine slept, ms. */
export const SLEPT_MS = 5000;

/** Peers that a change of state is told to at once; anti-entropy brings it to the rest. */
export const RUMOUR_FANOUT = 3;
/** Changes told at once in one message; more (a healed partition of hundreds) is left to anti-entropy. */
export const RUMOUR_ITEMS_MAX = 256;
/** Who said that it goes to sleep and still ticks this often was kept awake. */
export const AWAKE_TICKS = 5;

/** Records sent, bytes a second, and how much may be saved up for a joining peer. */
export const LOAD_BYTES_PER_S_MAX = 32 * 1024;
export const LOAD_BYTES_BURST = 128 * 1024;
/** Records in one message: below MESSAGE_BYTES_MAX with room for digest and framing. */
export const ITEM_BYTES_PER_MESSAGE_MAX = 24 * 1024;
/** The own load record is told at least this often, ms; on change at most once a tick. */
export const LOAD_REFRESH_MS = 15_000;

/** Known peers are handed to `remember` this long after a change, ms: a joining peer brings many at once. */
export const REMEMBER_DELAY_MS = 2000;
/** Weight of a new round trip in the average (TCP's smoothing). */
export const LATENCY_WEIGHT = 0.125;
