/** Says once, not at each of its dials, that a peer is refused: again after a minute, then after twice as long each time. */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { REFUSALS_REMEMBERED_MAX, REFUSAL_LOG_MS, REFUSAL_LOG_MS_MAX } from "./net-limits.ts";

interface Said {
  readonly reason: string;
  readonly pauseMs: number;
  readonly againAt: number;
}

export class RefusalLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #said = new Map<string, Said>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  refused(peer: PeerId, event: "peer-refused" | "peer-refuses-us", reason: string): void {
    const key = `${event} ${peer}`;
    const before = this.#said.get(key);
    const now = this.#clock.monotonic();
    const isSame = before?.reason === reason;
    if (isSame && now < before.againAt) return;
    const pauseMs = isSame ? Math.min(before.pauseMs * 2, REFUSAL_LOG_MS_MAX) : REFUSAL_LOG_MS;
    this.#said.delete(key);
    this.#said.set(key, { reason, pauseMs, againAt: now + pauseMs });
    const [oldest] = this.#said.keys();
    if (this.#said.size > REFUSALS_REMEMBERED_MAX && oldest !== undefined)
      this.#said.delete(oldest);
    this.#logger.warn(event, { peer, reason });
  }
}
