/** Lets a few questions of others be worked on at once; the next wait in line, and a line that is too long is refused. */
import { MfError } from "../../src/model/errors.ts";

export class ServiceGate {
  readonly #busyMax: number;
  readonly #waitingMax: number;
  #busy = 0;
  #waiting: (() => void)[] = [];

  constructor(busyMax: number, waitingMax: number) {
    this.#busyMax = busyMax;
    this.#waitingMax = waitingMax;
  }

  /** @throws MfError PEER_UNREACHABLE where too many wait */
  async run<T>(peer: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy >= this.#busyMax) {
      if (this.#waiting.length >= this.#waitingMax)
        throw new MfError("PEER_UNREACHABLE", { peer, reason: "it has too many questions" });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#busy += 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place goes over to the next in line, if there is one.
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }
}
