/** What every part of the composition is given. */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { DaemonOptions } from "../config/daemon-options.ts";
import type { ClosingOrder } from "./closing-order.ts";

export interface DaemonEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly version: string;
}

export interface DaemonBase {
  readonly options: DaemonOptions;
  readonly env: DaemonEnv;
  /** What is opened here is closed in reverse. */
  readonly closing: ClosingOrder;
}
