/**
 * What an attempt took. Asking the system what the process has used costs more than a small step, so it is asked rarely: an attempt
 * too short to have been measured counts as having run on its thread all the time, which a step that short has.
 */
import type { AttemptOutcome } from "./host-messages.ts";
import { USAGE_INTERVAL_MS } from "./task-limits.ts";

export class UsageMeter {
  #begunAt = 0;
  #cpu = process.cpuUsage();
  #resident = process.memoryUsage.rss();
  #sampledAt = performance.now();

  begin(): void {
    this.#begunAt = performance.now();
    if (this.#begunAt - this.#sampledAt > USAGE_INTERVAL_MS) this.#sample(this.#begunAt);
  }

  end(): Pick<AttemptOutcome, "wallMs" | "cpuMs" | "rssBytesMax"> {
    const now = performance.now();
    const wallMs = now - this.#begunAt;
    if (wallMs < USAGE_INTERVAL_MS) return { wallMs, cpuMs: wallMs, rssBytesMax: this.#resident };
    const used = process.cpuUsage(this.#cpu);
    this.#sample(now);
    // Of the whole process: other threads count too, so there is a bound to what one attempt can have used.
    const cpuMs = Math.min((used.user + used.system) / 1000, wallMs * 2);
    return { wallMs, cpuMs, rssBytesMax: this.#resident };
  }

  #sample(now: number): void {
    this.#cpu = process.cpuUsage();
    this.#resident = process.memoryUsage.rss();
    this.#sampledAt = now;
  }
}
