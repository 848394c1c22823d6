/** Bounds and times of placement, each with its unit and reason. */

/** Peers asked at once for one need; more find the same idle peer and wait longer (design §7). */
export const PROBES_AT_ONCE = 4;
/** Where many batches wait, so many peers are asked at once. */
export const PROBES_AT_ONCE_MAX = 16;
/** Of the candidates of one round, so many are random: they find what gossip does not know, and break herds. */
export const RANDOM_PROBES = 1;
/** Peers at which an owner waits for room at a time. */
export const RESERVATIONS_AT_ONCE = 8;
/** A reservation that brought nothing for so long, ms, may be lost: the peer is asked again. */
export const RESERVATION_MS = 10_000;
/** Owners that may wait for room at one worker. */
export const RESERVATIONS_MAX = 256;
/** How long a worker keeps what it offered, ms: a few round trips. */
export const SOFT_HOLD_MS = 2_000;
/** What a peer said of its room counts for so long, ms; later it is asked anew. */
export const ROOM_VALID_MS = 2_000;
/** An answer to a probe or a grant takes a round trip; a peer that needs more than this, ms, is as good as gone. */
export const ANSWER_MS_MAX = 5_000;
/** A grant carries up to 4 MiB: over a slow line that takes some seconds. */
export const GRANT_MS_MAX = 15_000;

/** An unreachable peer keeps its leases so long, ms: links flap, and work done twice is work lost. */
export const LEASE_MS = 60_000;
/** Three renewals fit into a lease. */
export const RENEW_INTERVAL_MS = 20_000;
/** Progress of attempts is passed on at most so often, ms. */
export const PROGRESS_INTERVAL_MS = 1_000;
/** A lease this young, ms, may be missing from a renewal that was sent before it was granted. */
export const LEASE_YOUNG_MS = 15_000;
/** How often deadlines are looked at, ms. */
export const TICK_MS = 500;
/** From a cancel to the end of waiting for what it stops, ms: the grace of the hosts and two round trips. */
export const CANCEL_MS_MAX = 10_000;

/** A batch that waits at a worker behind another one: only such short ones, ms, or it could have begun elsewhere. */
export const QUEUED_WORK_MS_MAX = 1_000;
/** Batches a worker takes for each slot: one runs, one brings its inputs. */
export const BATCHES_PER_SLOT = 2;
/** A ready batch that was passed over by smaller ones this often goes next. */
export const PASSED_OVER_MAX = 32;

/** Assumed until transfers are measured, bytes a ms: half of a gigabit line. */
export const BANDWIDTH_GUESS = 60_000;
/** Content whose size nobody said: too large to travel inline. */
export const CONTENT_BYTES_GUESS = 256 * 1024;
/** A batch waits at most so long, ms, for a peer that has its inputs. */
export const LOCALITY_WAIT_MS_MAX = 3_000;

/** Faults of a peer within FAULT_WINDOW_MS after which it is avoided for AVOID_MS (as Nomad does with its rejected plans). */
export const FAULTS_MAX = 15;
export const FAULT_WINDOW_MS = 600_000;
export const AVOID_MS = 300_000;
/** After a fault a peer is left alone for a moment, ms, so that it is not the first to be asked again. */
export const FAULT_PAUSE_MS = 1_000;

/** Outcomes that wait to be taken, bytes; the facts in them are durable here in any case. */
export const OUTBOX_BYTES_MAX = 64 * 1024 * 1024;
/** And so many leases: all of them are named in a renewal. */
export const OUTBOX_LEASES_MAX = 1_024;
/** An outcome nobody took for so long, ms, is dropped: whoever needs it finds the fact. */
export const OUTBOX_MS_MAX = 600_000;
/** Pauses between tries to hand in, ms. */
export const OUTBOX_PAUSE_MS = 250;
export const OUTBOX_PAUSE_MS_MAX = 15_000;

/** Steps' code kept from other peers, characters. */
export const CODE_CHARS_MAX = 64 * 1024 * 1024;
/** Codes of own runs, for whoever asks. */
export const OFFERED_CODES_MAX = 1_024;
/** `this peer cannot run that code`, remembered. */
export const UNFIT_MAX = 10_000;
/** Runs whose ballot is remembered. */
export const FENCED_RUNS_MAX = 4_096;
/** Contents whose size and holders are remembered. */
export const WHEREABOUTS_MAX = 100_000;
/** Holders remembered of one content. */
export const HOLDERS_MAX = 4;
/** Holders named to a worker that has to bring inputs. */
export const HINTS_MAX = 8;
/** Outcomes of adopted leases that came before the engine asked for their tasks. */
export const EARLY_OUTCOMES_MAX = 10_000;
/** Bytes of inline inputs in one grant; the rest is brought by the worker. */
export const INLINE_CONTENT_BYTES_MAX = 1024 * 1024;
/** Bytes of one grant or of one part of a hand-in: room is left below BATCH_BYTES_MAX for the other fields. */
export const PART_BYTES_MAX = 3 * 1024 * 1024;
/** Outputs are copied until so many peers have them (design §9). */
export const OUTPUT_COPIES = 2;
/** After the store refused a commit nothing is taken for so long, ms. */
export const STORE_PAUSE_MS = 30_000;
