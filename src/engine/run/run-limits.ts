/** The bounds of one run on one machine. */

/** More tasks than this in one step is taken for a mistake unless the user says otherwise. */
export const TASKS_MAX_DEFAULT = 10_000;

/** Failures kept in a run's result; the journal has all of them. */
export const FAILURES_SHOWN_MAX = 20;

/** Steps that came to what was known, told in a run's result. */
export const CUT_OFFS_SHOWN_MAX = 20;

/** A task whose shared host died this often, then its own processes too, is given up. */
export const TASK_LOSSES_MAX = 3;

/** A task whose peers were lost this often is given up: a storm that kills every daemon in turn must not end a run. */
export const TASK_PEER_LOSSES_MAX = 100;

/** Units the machine opens in one turn of the event loop: about 3 ms of work, identities included. */
export const UNITS_PER_TURN = 250;

/** Elements a collect() takes in as one unit of work: far cheaper than opening a task. */
export const ELEMENTS_PER_UNIT = 20;

/** Outcomes applied in one turn of the event loop: about 1 ms of work. */
export const OUTCOMES_PER_TURN = 150;

/** Keys asked of the store at once. */
export const LOOK_UPS_PER_TURN = 250;

/** Tasks made durable by one commit: about 4 ms to encode. At a sync of 10 ms still over ten thousand tasks a second. */
export const COMMIT_TASKS_MAX = 128;

/** The run's row in the list of runs is rewritten at most this often while the run goes on. */
export const SUMMARY_INTERVAL_MS = 500;

/** Small outputs of this run kept in memory, so that children are sent them without a read. */
export const CONTENT_CACHE_BYTES_MAX = 64 * 1024 * 1024;

/** Values a switch reads are decoded here, in the engine: they are meant to be small. */
export const SWITCH_VALUE_BYTES_MAX = 1024 * 1024;

/** Resident memory of an attempt that declares none: two GiB, or a quarter of the machine where that is less. */
export const ATTEMPT_MEM_BYTES_MAX = 2 * 1024 ** 3;
