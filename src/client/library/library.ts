/** What every object of the client library stands on. */
import type { Clock } from "../../env/clock.ts";
import type { Records } from "../records.ts";
import type { LeasedSide } from "./leased-side.ts";

export interface Library {
  readonly lease: LeasedSide;
  readonly records: Records;
  readonly clock: Clock;
  readonly home: string;
  /** Who gives tags. */
  readonly user: string;
}
