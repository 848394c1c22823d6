/** The highest ballot heard of for each run: whoever comes with a lower one is no owner any more. Bounded; the oldest are forgotten. */
import { MfError } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import { FENCED_RUNS_MAX } from "./placement-limits.ts";

export class BallotFence {
  readonly #ballots = new Map<string, number>();

  /** Notes the ballot; false where a higher one is known. */
  admits(run: RunRef, ballot: number): boolean {
    const key = runText(run);
    const known = this.#ballots.get(key) ?? 0;
    if (ballot < known) return false;
    this.#ballots.delete(key);
    this.#ballots.set(key, ballot);
    for (const oldest of this.#ballots.keys()) {
      if (this.#ballots.size <= FENCED_RUNS_MAX) break;
      this.#ballots.delete(oldest);
    }
    return true;
  }

  /** @throws MfError PEER_FENCED */
  raise(run: RunRef, ballot: number): void {
    const known = this.#ballots.get(runText(run)) ?? 0;
    if (!this.admits(run, ballot))
      throw new MfError("PEER_FENCED", { run: runText(run), ballot: known });
  }
}
