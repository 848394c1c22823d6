/** What an attempt took. Asking the system how much memory is resident costs more than a small step, so it is asked rarely. */
import type { AttemptOutcome } from "./host-messages.ts";
import { RESIDENT_INTERVAL_MS } from "./task-limits.ts";

export class UsageMeter {
  #wall = 0;
  #cpu = process.cpuUsage();
  #resident = 0;
  #sampledAt = Number.NEGATIVE_INFINITY;

  begin(): void {
    this.#wall = performance.now();
    this.#cpu = process.cpuUsage();
  }

  end(): Pick<AttemptOutcome, "wallMs" | "cpuMs" | "rssBytesMax"> {
    const now = performance.now();
    const used = process.cpuUsage(this.#cpu);
    const wallMs = now - this.#wall;
    if (now - this.#sampledAt > RESIDENT_INTERVAL_MS) {
      this.#resident = process.memoryUsage.rss();
      this.#sampledAt = now;
    }
    // Of the whole process: other threads count too, so there is a bound to what one attempt can have used.
    const cpuMs = Math.min((used.user + used.system) / 1000, wallMs * 2);
    return { wallMs, cpuMs, rssBytesMax: this.#resident };
  }
}
