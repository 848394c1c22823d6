/** How far this peer trusts its own judgement (Lifeguard): who misses answers or runs late is slower to accuse others. */
import {
  HEALTH_MULTIPLIER_MAX,
  LOOP_DELAY_HEALTH,
  LOOP_DELAY_SICK_MS,
} from "./membership-limits.ts";

export class LocalHealth {
  #score = 0;
  #isLoopSick = false;

  /** 1 when well; times and pauses of probes are multiplied by it. */
  get multiplier(): number {
    const score = this.#score + (this.#isLoopSick ? LOOP_DELAY_HEALTH : 0);
    return Math.min(HEALTH_MULTIPLIER_MAX, 1 + score);
  }

  worse(by = 1): void {
    this.#score = Math.min(HEALTH_MULTIPLIER_MAX - 1, this.#score + by);
  }

  better(): void {
    this.#score = Math.max(0, this.#score - 1);
  }

  loopDelay(p99Ms: number): void {
    this.#isLoopSick = p99Ms > LOOP_DELAY_SICK_MS;
  }
}
