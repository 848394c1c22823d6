/** Paces and bounds of what is measured of this machine. */

/** Once a second: what gossip can carry; measured at about 0.1 ms each. */
export const SAMPLE_MS = 1000;
/** nvidia-smi is a process of its own and takes up to seconds on a busy driver. */
export const GPU_SAMPLE_MS = 10_000;
export const GPU_TIMEOUT_MS = 3000;
/** Its answer: a line for each GPU. */
export const GPU_OUTPUT_BYTES_MAX = 256 * 1024;
/** After so many failures in a row the GPUs count as gone. */
export const GPU_FAILURES_MAX = 3;
export const GPUS_MAX = 16;
/** systeminformation starts dozens of processes on some systems, ms. */
export const INVENTORY_TIMEOUT_MS = 30_000;
/** Grain of the event loop's delay, ms: its timer wakes the process this often. */
export const LOOP_RESOLUTION_MS = 50;
/** The p99 is of this many samples. */
export const LOOP_WINDOW_SAMPLES = 5;
/** A file of /proc, as far as we read it: the first lines, whatever the number of cores. */
export const PROC_BYTES_MAX = 4096;
