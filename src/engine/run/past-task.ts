/** What a journal says of one task of a run that is to go on. */
import type { ErrorRecord } from "../../model/errors.ts";
import type { TaskSucceeded } from "../../model/journal.ts";

export interface PastTask {
  /** Number of the next attempt. */
  readonly attempt: number;
  readonly failures: number;
  /** With their host, and with their peer. */
  readonly losses: number;
  readonly peerLosses: number;
  /** Of the last attempt that left no fact. */
  readonly error?: ErrorRecord;
  /** No attempt follows. */
  readonly end?: "failed" | "cancelled";
  /** As the journal has it; it is not recorded again. */
  readonly succeeded?: TaskSucceeded;
}
