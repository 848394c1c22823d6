/**
 * A world in which everything that takes time (store, hosts, timers, turns of the loop) is an event with a drawn delay,
 * delivered one by one in virtual time. One seed gives one history; a kill is a world that delivers nothing more.
 */
import { createHash } from "node:crypto";
import { setImmediate as realTurn } from "node:timers/promises";
import type { Clock } from "../../src/env/clock.ts";
import type { Random } from "../../src/env/random.ts";

interface PendingEvent {
  readonly at: number;
  readonly order: number;
  readonly label: string;
  readonly deliver: () => void;
}

/** A real file operation (the log directory of a run) may take some time; nothing else is outside the world. */
const IDLE_REAL_MS_MAX = 10_000;
const DELAY_MS_MAX = 10;

export class SimulatedWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly #draw: () => number;
  readonly #digest = createHash("sha256");
  readonly #killAt: number;
  #pending: PendingEvent[] = [];
  #now = 0;
  #order = 0;
  eventCount = 0;

  /** `killAt`: the number of the first event that is not delivered. */
  constructor(seed: number, killAt = Infinity) {
    this.#draw = numbers(seed);
    this.#killAt = killAt;
    this.random = {
      next: this.#draw,
      bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(this.#draw() * 256)),
    };
    this.clock = {
      now: () => this.#now,
      monotonic: () => this.#now,
      after: (ms, callback) => this.#schedule(ms, "timer", callback),
    };
  }

  get isKilled(): boolean {
    return this.eventCount >= this.#killAt;
  }

  /** Resolves after a drawn delay, or never where the world ends first. */
  event(label: string): Promise<void> {
    return new Promise((resolve) => {
      this.#schedule(this.#draw() * DELAY_MS_MAX, label, resolve);
    });
  }

  draw(): number {
    return this.#draw();
  }

  /** Delivers events until `work` is done (true) or the kill (false). */
  async runUntil(work: Promise<unknown>): Promise<boolean> {
    let isDone = false;
    const ended = (): void => {
      isDone = true;
    };
    work.then(ended, ended);
    let idleSince = performance.now();
    while (performance.now() - idleSince < IDLE_REAL_MS_MAX) {
      await realTurn();
      if (isDone) return true;
      if (this.isKilled) return false;
      if (this.#deliverNext()) idleSince = performance.now();
    }
    throw new Error("nothing happens any more, and the work is not done");
  }

  /** Of every event so far: equal digests mean equal histories. */
  digest(): string {
    return this.#digest.copy().digest("hex");
  }

  #schedule(ms: number, label: string, deliver: () => void): () => void {
    const event = { at: this.#now + ms, order: this.#order++, label, deliver };
    this.#pending.push(event);
    return () => {
      this.#pending = this.#pending.filter((other) => other !== event);
    };
  }

  #deliverNext(): boolean {
    const [first, ...rest] = this.#pending.sort((a, b) => a.at - b.at || a.order - b.order);
    if (first === undefined) return false;
    this.#pending = rest;
    this.#now = first.at;
    this.eventCount++;
    this.#digest.update(`${first.at} ${first.label}\n`);
    first.deliver();
    return true;
  }
}

/** Numbers in [0, 1), always the same for one seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
