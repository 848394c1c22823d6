/** Limits of who may join, each with its unit and its reason. */
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Longest life of a certificate: a peer that is off for a season must be asked for again. */
export const CERTIFICATE_LIFE_MS_MAX = 90 * DAY;
/** Its begin lies this far in the past: an issuer whose clock runs ahead by hours still issues what others accept. */
export const CERTIFICATE_BACKDATE_MS = DAY;
/** Two peers' clocks may differ by this much and nobody says a word. */
export const CLOCK_SKEW_MS_MAX = 10 * MINUTE;
/** A certificate is renewed when this share of its life is over: a third of it is left to find an issuer. */
export const RENEW_AT_SHARE = 2 / 3;
/** Between looks at what is due: renewal, certificates of others that expired. */
export const UPKEEP_INTERVAL_MS = 10 * MINUTE;
export const RENEW_TIMEOUT_MS = 10 * SECOND;

export const TICKET_TTL_MS_DEFAULT = HOUR;
export const TICKET_TTL_MS_MIN = 10 * SECOND;
/** A ticket that lies about for longer than this is found by somebody. */
export const TICKET_TTL_MS_MAX = 30 * DAY;
/** Addresses in a ticket, together: a ticket is pasted by people, so it stays under about 600 characters. */
export const TICKET_ADDRESSES_BYTES_MAX = 320;
/** A finished ticket is remembered this long, so that the second who tries it is told why. */
export const TICKET_KEPT_MS = 7 * DAY;
/** Tickets remembered, open and finished; issuing more needs the oldest to go first. */
export const TICKETS_MAX = 1000;
/** Longest ticket text that is looked at at all. */
export const TICKET_CHARS_MAX = 2048;

/** Join attempts of one identity in a minute. */
export const JOINS_PER_PEER_PER_MINUTE_MAX = 5;
/** Attempts with a ticket nobody issued, of all strangers together, in a minute: identities cost nothing. */
export const JOINS_UNKNOWN_PER_MINUTE_MAX = 60;
/** Attempts with an issued ticket in a minute: strangers' noise does not keep these out. */
export const JOINS_KNOWN_PER_MINUTE_MAX = 60;
/** Join conversations at once; each holds a connection and a few hundred bytes. */
export const JOINS_OPEN_MAX = 16;
/** A join conversation is two round trips and one fsync. */
export const JOIN_CONVERSATION_MS_MAX = 10 * SECOND;
/** A joiner whose connection breaks asks again this often, after this pause. */
export const JOIN_TRIES_MAX = 3;
export const JOIN_PAUSE_MS = SECOND;

/** Members whose certificates and addresses are kept. The issuer signed each, so it bounds this too. */
export const MEMBERS_MAX = 4096;
/** Certificates of others are written down together, this long after the first that is new. */
export const MEMBERS_SAVE_MS = SECOND;
/** Revocations kept; more means that the mesh should be made anew. */
export const REVOCATIONS_MAX = 4096;

/** A file of home/mesh: the largest is the list of members at about 1.5 KiB each. */
export const MESH_FILE_BYTES_MAX = 16 * 1024 * 1024;
