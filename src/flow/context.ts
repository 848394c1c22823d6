import type { FileRef } from "./file-ref.ts";

/** What a step is given besides its inputs. */
export interface Ctx {
  /** Aborts when the attempt is cancelled or runs into its timeout. */
  readonly signal: AbortSignal;
  /** Which try this is, counted from 0. */
  readonly attempt: number;
  /** `flow/run`. */
  readonly run: string;
  /** `step` or `step[i,j]`. */
  readonly task: string;
  /** The same for every attempt of this task, other for every other task: an unsigned 32-bit number for random_state and the like. */
  readonly seed: number;
  /** Uniform in [0, 1), drawn from the seed: a rerun draws the same numbers. */
  random(): number;
  /** Writes a line to the task's log. */
  log(...values: unknown[]): void;
  /** How far the step is, 0 to 1, shown beside it while it runs. */
  progress(fraction: number, note?: string): void;
  /** Stores a file that the step wrote; return the reference as an artifact. `name` is what people see. */
  file(path: string, name?: string): Promise<FileRef>;
}
