/**
 * Machines with a membership service each, on one virtual clock and a network that loses, delays, cuts and breaks. One seed gives
 * one history. The real services run; only clock, chance and transport are ours.
 */
import { createMembership, type Membership } from "../../daemon/membership/membership-service.ts";
import { SeededDraw } from "../../daemon/membership/seeded-draw.ts";
import type { Clock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import type { LoadRecord, PeerId } from "../../src/model/peer.ts";
import type { LeaveReason } from "../../src/wire/membership-protocol.ts";
import type { NoticeType, Transport, TransportEvent } from "../../src/wire/transport.ts";
import { EventHeap } from "./event-heap.ts";

export interface WorldOptions {
  readonly seed: number;
  /** Share of messages lost. */
  readonly loss?: number;
  readonly delayMs?: readonly [number, number];
}

export class MembershipWorld {
  readonly machines: SimulatedMachine[] = [];
  readonly draw: SeededDraw;
  now = 0;
  eventCount = 0;
  messageCount = 0;
  byteCount = 0;
  loss: number;
  /** Encodes and decodes every message, and counts its bytes. */
  isEncoded = false;
  readonly options: WorldOptions;
  readonly #heap = new EventHeap();
  readonly #byId = new Map<PeerId, SimulatedMachine>();
  /** Directed: "a>b". */
  readonly #cuts = new Set<string>();

  constructor(options: WorldOptions) {
    this.options = options;
    this.draw = new SeededDraw(options.seed);
    this.loss = options.loss ?? 0;
  }

  /** Each machine knows the first by address, as if it had its ticket. */
  static grown(count: number, options: WorldOptions): MembershipWorld {
    const world = new MembershipWorld(options);
    for (let i = 0; i < count; i++) world.addMachine();
    return world;
  }

  addMachine(): SimulatedMachine {
    const machine = new SimulatedMachine(this, this.machines.length);
    this.machines.push(machine);
    this.#byId.set(machine.id, machine);
    machine.start();
    return machine;
  }

  at(index: number): SimulatedMachine {
    const machine = this.machines[index];
    if (machine === undefined) throw new Error(`no machine ${index}`);
    return machine;
  }

  find(id: PeerId): SimulatedMachine | undefined {
    return this.#byId.get(id);
  }

  after(ms: number, run: () => void): () => void {
    const timed = this.#heap.push(this.now + ms, run);
    return () => {
      timed.run = undefined;
    };
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#heap.next; next !== undefined && next.at <= end; next = this.#heap.next) {
      this.#heap.pop();
      this.now = next.at;
      if (next.run === undefined) continue;
      this.eventCount++;
      next.run();
    }
    this.now = end;
  }

  delay(): number {
    const [low, high] = this.options.delayMs ?? [0.2, 20];
    // Mostly short, sometimes long.
    return low + (high - low) * this.draw.next() ** 3;
  }

  reaches(from: SimulatedMachine, to: SimulatedMachine): boolean {
    return !this.#cuts.has(`${from.index}>${to.index}`);
  }

  cut(from: SimulatedMachine, to: SimulatedMachine): void {
    this.#cuts.add(`${from.index}>${to.index}`);
  }

  /** Both ways between every machine of one side and every other; connections break at once, or messages just vanish. */
  partition(side: readonly SimulatedMachine[], how: "broken" | "silent"): void {
    for (const a of side)
      for (const b of this.machines) {
        if (side.includes(b)) continue;
        this.cut(a, b);
        this.cut(b, a);
        if (how === "broken") a.disconnect(b, "reset");
      }
  }

  heal(): void {
    this.#cuts.clear();
  }
}

export class SimulatedMachine {
  readonly world: MembershipWorld;
  readonly index: number;
  readonly id: PeerId;
  state: "up" | "down" | "asleep" | "stalled" | "left" = "down";
  /** No power: nobody even refuses a connection. */
  isOff = false;
  boot = 0;
  membership: Membership | undefined;
  transport: SimulatedTransport | undefined;
  load: LoadRecord;
  sleptCount = 0;
  readonly connections = new Set<SimulatedMachine>();
  known: readonly { peer: PeerId; addresses: readonly string[] }[] = [];
  /** Monotonic ms lost to sleep. */
  #sleptMs = 0;
  #sleepsSince = 0;
  #frozen: { leftMs: number; run: () => void }[] = [];

  constructor(world: MembershipWorld, index: number) {
    this.world = world;
    this.index = index;
    this.id = `12D3KooW${String(index).padStart(8, "0")}` as PeerId;
    this.load = exampleLoad();
  }

  get isUp(): boolean {
    return this.state === "up";
  }

  /** A new process, with the next boot counter. */
  start(): void {
    this.state = "up";
    this.isOff = false;
    this.boot++;
    this.transport = new SimulatedTransport(this);
    const first = this.world.at(0);
    const seeds = this === first ? [] : [{ peer: first.id, addresses: [`/sim/${first.index}`] }];
    const generation = this.boot;
    this.membership = createMembership({
      transport: this.transport,
      clock: this.#clock(generation),
      random: {
        next: () => this.world.draw.next(),
        bytes: (count) => Uint8Array.from({ length: count }, () => this.world.draw.below(256)),
      },
      logger: silentLogger,
      profile: {
        name: `machine-${this.index}`,
        version: "1.0.0",
        roles: ["submit", "store", "work"],
        labels: { index: String(this.index) },
        platform: "linux-x64",
        abi: "115",
      },
      bootCounter: this.boot,
      localLoad: () => this.load,
      seeds: this.known.length > 0 ? this.known : seeds,
      remember: (peers) => {
        this.known = peers;
      },
      onSlept: () => this.sleptCount++,
      bootMs: () => this.world.now,
    });
    this.membership.start();
  }

  /** kill -9: connections break, nobody listens. */
  crash(): void {
    this.#end("down");
  }

  /** Power cut: nobody is told anything. */
  vanish(): void {
    this.isOff = true;
    this.connections.clear();
    this.#end("down", false);
  }

  say(why: LeaveReason): void {
    this.membership?.leave(why);
  }

  leave(): void {
    this.say("leave");
    this.#end("left");
  }

  #end(state: "down" | "left", isHeard = true): void {
    this.state = state;
    this.membership?.stop();
    this.transport?.end();
    for (const other of this.world.machines) {
      if (!other.connections.has(this)) continue;
      if (isHeard) this.disconnect(other, "reset");
      // Without a word the other side finds out in half a minute, by its own time-outs.
      else this.world.after(30_000, () => other.lost(this, "reset"));
    }
    this.connections.clear();
  }

  sleep(): void {
    this.state = "asleep";
    this.#sleepsSince = this.world.now;
  }

  wake(): void {
    this.#sleptMs += this.world.now - this.#sleepsSince;
    this.state = "up";
    this.#thaw();
  }

  /** The process stands still, its clock does not. */
  stall(ms: number): void {
    this.state = "stalled";
    this.#sleepsSince = this.world.now;
    this.world.after(ms, () => {
      if (this.state !== "stalled") return;
      this.state = "up";
      this.#thaw();
    });
  }

  #thaw(): void {
    const frozen = this.#frozen;
    this.#frozen = [];
    for (const { leftMs, run } of frozen) this.world.after(leftMs, run);
  }

  /** Runs on this machine: later where it stands still, never where its process is another. */
  perform(boot: number, run: () => void): void {
    if (this.boot !== boot || this.state === "down" || this.state === "left") return;
    if (this.state === "up") run();
    else
      this.#frozen.push({
        leftMs: this.state === "stalled" ? 0 : 1,
        run: () => this.perform(boot, run),
      });
  }

  #clock(boot: number): Clock {
    const monotonic = (): number =>
      (this.state === "asleep" ? this.#sleepsSince : this.world.now) - this.#sleptMs;
    return {
      now: () => this.world.now,
      monotonic,
      after: (ms, callback) => this.world.after(ms, () => this.perform(boot, callback)),
    };
  }

  disconnect(other: SimulatedMachine, why: "closed" | "reset"): void {
    this.world.after(this.world.delay(), () => {
      this.lost(other, why);
      other.lost(this, why);
    });
  }

  lost(other: SimulatedMachine, why: "closed" | "reset"): void {
    if (!this.connections.delete(other)) return;
    this.perform(this.boot, () => this.transport?.lost(other, why));
  }

  connect(other: SimulatedMachine): void {
    this.connections.add(other);
    this.perform(this.boot, () =>
      this.transport?.tell({ t: "connected", peer: other.id, addresses: [`/sim/${other.index}`] }),
    );
  }
}

const DIAL_PAUSE_MS_MAX = 60_000;

export class SimulatedTransport implements Transport {
  readonly self: PeerId;
  readonly kept = new Map<
    PeerId,
    { machine: SimulatedMachine; pauseMs: number; isDialling: boolean }
  >();
  readonly #machine: SimulatedMachine;
  readonly #boot: number;
  readonly #world: MembershipWorld;
  readonly #handlers = new Map<string, (from: PeerId, message: never) => void>();
  readonly #listeners = new Set<(event: TransportEvent) => void>();
  #isEnded = false;

  constructor(machine: SimulatedMachine) {
    this.self = machine.id;
    this.#machine = machine;
    this.#boot = machine.boot;
    this.#world = machine.world;
  }

  addresses(): readonly string[] {
    return [`/sim/${this.#machine.index}`];
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  handle(): void {
    throw new Error("membership asks no questions");
  }

  request(): Promise<never> {
    return Promise.reject(new Error("membership asks no questions"));
  }

  listen<M>(type: NoticeType<M>, handler: (from: PeerId, message: M) => void): void {
    this.#handlers.set(type.name, handler);
  }

  send<M>(to: PeerId, type: NoticeType<M>, message: M): void {
    const world = this.#world;
    const target = world.find(to);
    if (target === undefined || !this.#machine.connections.has(target)) return;
    world.messageCount++;
    let delivered = message;
    if (world.isEncoded) {
      const bytes = type.message.encode(message);
      world.byteCount += bytes.length;
      delivered = type.message.decode(bytes);
    }
    if (!world.reaches(this.#machine, target) || world.draw.next() < world.loss) return;
    const boot = target.boot;
    world.after(world.delay(), () => {
      if (target.state === "asleep") return;
      target.perform(boot, () => target.transport?.receive(this.self, type.name, delivered));
    });
  }

  receive(from: PeerId, name: string, message: unknown): void {
    this.#handlers.get(name)?.(from, message as never);
  }

  keep(peer: PeerId): void {
    const machine = this.#world.find(peer);
    if (machine === undefined || this.kept.has(peer) || this.#isEnded) return;
    const kept = { machine, pauseMs: 1000, isDialling: false };
    this.kept.set(peer, kept);
    this.#dial(peer, 0);
  }

  forget(peer: PeerId): void {
    const machine = this.#world.find(peer);
    this.kept.delete(peer);
    if (machine !== undefined && this.#machine.connections.has(machine))
      this.#machine.disconnect(machine, "closed");
  }

  lost(other: SimulatedMachine, why: "closed" | "reset"): void {
    this.tell({ t: "disconnected", peer: other.id, why });
    const kept = this.kept.get(other.id);
    if (kept === undefined) return;
    kept.pauseMs = 1000;
    this.#dial(other.id, 0);
  }

  #dial(peer: PeerId, pauseMs: number): void {
    const kept = this.kept.get(peer);
    if (kept === undefined || kept.isDialling || this.#isEnded) return;
    kept.isDialling = true;
    this.#world.after(pauseMs + this.#world.delay(), () =>
      this.#machine.perform(this.#boot, () => {
        kept.isDialling = false;
        this.#dialled(kept.machine, kept);
      }),
    );
  }

  #dialled(target: SimulatedMachine, kept: { pauseMs: number }): void {
    const here = this.#machine;
    if (this.#isEnded || !this.kept.has(target.id) || here.connections.has(target)) return;
    const isReached = this.#world.reaches(here, target) && this.#world.reaches(target, here);
    if (isReached && (target.state === "up" || target.state === "stalled")) {
      here.connect(target);
      target.connect(here);
      return;
    }
    const isRefused =
      isReached && !target.isOff && (target.state === "down" || target.state === "left");
    this.tell({ t: "dial-failed", peer: target.id, why: isRefused ? "refused" : "timeout" });
    this.#dial(target.id, kept.pauseMs * (0.8 + 0.4 * this.#world.draw.next()));
    kept.pauseMs = Math.min(DIAL_PAUSE_MS_MAX, kept.pauseMs * 2);
  }

  isConnected(peer: PeerId): boolean {
    const machine = this.#world.find(peer);
    return machine !== undefined && this.#machine.connections.has(machine);
  }

  connected(): readonly PeerId[] {
    return [...this.#machine.connections].map(({ id }) => id);
  }

  subscribe(listener: (event: TransportEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(event: TransportEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  end(): void {
    this.#isEnded = true;
    this.#listeners.clear();
    this.kept.clear();
  }
}

export function exampleLoad(cpuBusy = 0.1): LoadRecord {
  return {
    cpus: 8,
    cpuBusy,
    memBytes: 16 * 1024 ** 3,
    memFreeBytes: 8 * 1024 ** 3,
    gpus: [],
    diskFreeBytes: 100 * 1024 ** 3,
    store: "rw",
    slots: { total: 8, busy: 0 },
    queue: 0,
    loopDelayMs: 5,
    isAccepting: true,
  };
}
