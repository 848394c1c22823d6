/** How long others are waited for, and how much is kept. */

/** A peer that is alive answers within a few ms, one with a hundred submits at hand within seconds; what is asked of a peer that is lost ends
 *  with it. A run's beginning waits for what others know no longer than this, */
export const KNOWN_MS_MAX = 2_000;
/** What was said of a code is believed so long by runs that begin later. */
export const KNOWN_FRESH_MS = 2_000;
/** a task for its fact and what is small of its contents no longer than this. */
export const FIND_MS_MAX = 5_000;
/** A peer that did not answer in time is not asked for facts for so long. */
export const SLOW_PEER_MS = 10_000;
/** Peers that are asked for one fact because they had it, besides those that may just have made it. */
export const FIND_PEERS_MAX = 3;
/** Questions for facts served at once. */
export const FACTS_SERVED_MAX = 16;

/** The desk asks who was alone what he runs; whoever came second waits for it. */
export const HAND_IN_MS_MAX = 5_000;
export const USE_MS_MAX = 8_000;
export const CLAIM_MS_MAX = 8_000;

/** Users tell their desks that often that they are there and what they run. */
export const RENEW_MS = 5_000;
/** A desk that was told nothing for so long forgets the user, or the key. */
export const LEASE_MS = 20_000;
/** A task that waits for an execution elsewhere is looked up and claimed again after this, whether anything was heard or not. */
export const WAIT_MS_MAX = 15_000;
/** So often at most: a task that was waited for so long in all is run here, whatever the desk says. Its holder may be alive and never come to
 *  it. Longer than most steps take, for what takes longer is executed once by each peer that has runs with it. */
export const ALONE_AFTER_MS = 4 * 60 * 60_000;
/** Who left may have made what is asked for next: named so long to those that claim. */
export const PAST_USER_MS = 10_000;

/** What one desk keeps; more is not shared. */
export const DESK_CODES_MAX = 20_000;
export const DESK_CLAIMS_MAX = 200_000;
export const DESK_USERS_MAX = 64;

/** Prints in memory, 4 bytes each; codes beyond that are asked for whatever the key is. */
export const PRINTS_MAX = 4_000_000;
/** Facts counted in one turn of the event loop when the daemon starts. */
export const SCAN_TURN = 100;
/** Facts that were made elsewhere and are about to be asked for. */
export const HINTS_MAX = 50_000;
