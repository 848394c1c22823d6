/**
 * A worker's ledger: what it has, who holds how much of it, who waits for room. Pure: the only place where a batch is admitted here,
 * whoever owns its run. States of a lease: bringing -> ready -> running -> gone. Rules W1 to W6 in the README.
 */
import { fits, plus, type Capacity, type Demand } from "../../src/engine/scheduler/admission.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Room } from "../../src/wire/placement-values.ts";
import {
  BATCHES_PER_SLOT,
  PASSED_OVER_MAX,
  QUEUED_WORK_MS_MAX,
  RESERVATIONS_MAX,
  SOFT_HOLD_MS,
} from "./placement-limits.ts";

export interface WorkerTotals {
  readonly slots: number;
  readonly capacity: Capacity;
}

/** What the machine says of itself right now, whatever the ledger says. */
export interface MachineNow {
  readonly memFreeBytes: number;
  /** Devices that no foreign process uses, by uuid (or index where it is not known). */
  readonly gpus: readonly string[];
}

export interface WorkerNeed {
  readonly demand: Demand;
  readonly isExclusive: boolean;
  /** Of the whole batch, ms; undefined: nobody knows. */
  readonly expectedMs?: number;
}

export interface WorkerLease extends WorkerNeed {
  readonly id: string;
  readonly owner: PeerId;
  phase: "bringing" | "ready" | "running";
  startedAtMs: number;
  gpus: readonly string[];
  passedOver: number;
}

interface Hold extends WorkerNeed {
  readonly owner: PeerId;
  readonly untilMs: number;
}

export type WorkerEvent =
  /** Its inputs and its code are here. */
  | { readonly t: "ready"; readonly lease: string }
  /** It runs no more, or never will. */
  | { readonly t: "ended"; readonly lease: string }
  /** The owner has nothing for what was held for it. */
  | { readonly t: "nothing"; readonly owner: PeerId }
  | { readonly t: "owner-gone"; readonly owner: PeerId }
  | { readonly t: "tick" };

export type WorkerEffect =
  | { readonly t: "start"; readonly lease: string; readonly gpus: readonly string[] }
  | { readonly t: "pull"; readonly owner: PeerId; readonly room: Room };

const NOTHING: Capacity = { cores: 0, memBytes: 0, gpus: 0 };

export class WorkerMachine {
  readonly #totals: WorkerTotals;
  readonly #leases = new Map<string, WorkerLease>();
  readonly #reservations = new Map<PeerId, WorkerNeed>();
  #holds: Hold[] = [];
  #machine: MachineNow = { memFreeBytes: Infinity, gpus: [] };
  #pausedUntilMs = -Infinity;

  constructor(totals: WorkerTotals) {
    this.#totals = totals;
  }

  observe(machine: MachineNow): void {
    this.#machine = machine;
  }

  /** Takes nothing new until then. */
  pause(untilMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
    if (untilMs === Infinity) this.#reservations.clear();
  }

  isAccepting(now: number): boolean {
    return now >= this.#pausedUntilMs;
  }

  lease(id: string): WorkerLease | undefined {
    return this.#leases.get(id);
  }

  leases(): IterableIterator<WorkerLease> {
    return this.#leases.values();
  }

  get runningCount(): number {
    let count = 0;
    for (const lease of this.#leases.values()) if (lease.phase === "running") count++;
    return count;
  }

  get count(): number {
    return this.#leases.size;
  }

  /** What `owner` may count on: all but what runs, waits, or is held for others. */
  roomFor(owner: PeerId, now: number): Room {
    const { slots, capacity } = this.#totals;
    if (!this.isAccepting(now)) return { slots: 0, queue: 0, cores: 0, memBytes: 0, gpus: 0 };
    const used = this.#committed(owner, now);
    const shared = this.#sharedCount(owner, now);
    const free = Math.max(0, slots - shared);
    const queue = this.#othersWait(owner) ? 0 : Math.max(0, BATCHES_PER_SLOT * slots - shared);
    return {
      slots: free,
      queue: Math.max(0, queue - free),
      cores: capacity.cores - used.cores,
      memBytes: Math.min(capacity.memBytes - used.memBytes, this.#machine.memFreeBytes),
      gpus: Math.min(capacity.gpus, this.#machine.gpus.length) - used.gpus,
    };
  }

  /** Answers a probe. Where there is room it is held for the asker; where there is none, the asker may wait for it. */
  offer(owner: PeerId, need: WorkerNeed, isReserving: boolean, now: number): Room {
    this.#expire(now);
    this.#release(owner);
    const room = this.roomFor(owner, now);
    if (!this.isAccepting(now)) return room;
    if (this.#canStart(owner, need, now)) this.#hold(owner, need, now);
    else if (
      isReserving &&
      (this.#reservations.has(owner) || this.#reservations.size < RESERVATIONS_MAX)
    )
      this.#reservations.set(owner, need);
    return room;
  }

  /** Admits or not; an admitted one is being brought. */
  grant(owner: PeerId, id: string, need: WorkerNeed, now: number): boolean {
    this.#expire(now);
    if (this.#leases.has(id)) return true;
    if (!this.isAccepting(now)) return false;
    if (!this.#canStart(owner, need, now) && !this.#canQueue(owner, need, now)) return false;
    this.#consumeHold(owner);
    this.#reservations.delete(owner);
    this.#leases.set(id, {
      ...need,
      id,
      owner,
      phase: "bringing",
      startedAtMs: 0,
      gpus: [],
      passedOver: 0,
    });
    return true;
  }

  accept(event: WorkerEvent, now: number): readonly WorkerEffect[] {
    const effects: WorkerEffect[] = [];
    this.#expire(now);
    if (event.t === "ready") {
      const lease = this.#leases.get(event.lease);
      if (lease?.phase === "bringing") lease.phase = "ready";
    } else if (event.t === "ended") this.#leases.delete(event.lease);
    else if (event.t === "nothing") this.#release(event.owner);
    else if (event.t === "owner-gone") {
      this.#release(event.owner);
      this.#reservations.delete(event.owner);
    }
    this.#startReady(effects, now);
    this.#pull(effects, now);
    return effects;
  }

  /** Until what is here is done, over all slots, by what the owners expect; unknown batches count as short ones. */
  queueMs(now: number): number {
    let sum = 0;
    for (const { phase, startedAtMs, expectedMs = QUEUED_WORK_MS_MAX } of this.#leases.values())
      sum += phase === "running" ? Math.max(0, expectedMs - (now - startedAtMs)) : expectedMs;
    return sum / Math.max(1, this.#totals.slots);
  }

  #canStart(owner: PeerId, need: WorkerNeed, now: number): boolean {
    const isRoomy = need.isExclusive || this.#sharedCount(owner, now) < this.#totals.slots;
    return (
      isRoomy &&
      fits(need.demand, this.#committed(owner, now), this.#totals.capacity) &&
      need.demand.memBytes <= this.#machine.memFreeBytes &&
      need.demand.gpus <= this.#freeGpus().length
    );
  }

  /** One more for each slot, while nobody else waits. */
  #canQueue(owner: PeerId, need: WorkerNeed, now: number): boolean {
    const { slots, capacity } = this.#totals;
    return (
      !need.isExclusive &&
      need.expectedMs !== undefined &&
      need.expectedMs <= QUEUED_WORK_MS_MAX &&
      !this.#othersWait(owner) &&
      this.#sharedCount(owner, now) < BATCHES_PER_SLOT * slots &&
      fits(need.demand, NOTHING, capacity)
    );
  }

  #othersWait(owner: PeerId): boolean {
    return this.#reservations.size > (this.#reservations.has(owner) ? 1 : 0);
  }

  #committed(owner: PeerId, now: number): Capacity {
    let used = NOTHING;
    for (const { demand } of this.#leases.values()) used = plus(used, demand, 1);
    for (const hold of this.#holds)
      if (hold.owner !== owner && hold.untilMs > now) used = plus(used, hold.demand, 1);
    return used;
  }

  #sharedCount(owner: PeerId, now: number): number {
    let count = 0;
    for (const { isExclusive } of this.#leases.values()) if (!isExclusive) count++;
    for (const hold of this.#holds)
      if (hold.owner !== owner && hold.untilMs > now && !hold.isExclusive) count++;
    return count;
  }

  #startReady(effects: WorkerEffect[], now: number): void {
    let used = NOTHING;
    let shared = 0;
    for (const { phase, demand, isExclusive } of this.#leases.values()) {
      if (phase !== "running") continue;
      used = plus(used, demand, 1);
      if (!isExclusive) shared++;
    }
    for (const lease of this.#leases.values()) {
      if (lease.phase !== "ready") continue;
      const gpus = this.#freeGpus();
      const hasRoom =
        (lease.isExclusive || shared < this.#totals.slots) &&
        fits(lease.demand, used, this.#totals.capacity) &&
        lease.demand.gpus <= gpus.length;
      if (!hasRoom) {
        if (++lease.passedOver > PASSED_OVER_MAX) return;
        continue;
      }
      lease.phase = "running";
      lease.startedAtMs = now;
      lease.gpus = gpus.slice(0, lease.demand.gpus);
      used = plus(used, lease.demand, 1);
      if (!lease.isExclusive) shared++;
      effects.push({ t: "start", lease: lease.id, gpus: lease.gpus });
    }
  }

  #freeGpus(): string[] {
    const taken = new Set<string>();
    for (const lease of this.#leases.values()) for (const id of lease.gpus) taken.add(id);
    return this.#machine.gpus.filter((id) => !taken.has(id));
  }

  /** First come, first served; one that is too large for what is free does not hold up the others. */
  #pull(effects: WorkerEffect[], now: number): void {
    if (!this.isAccepting(now)) return;
    for (const [owner, need] of this.#reservations) {
      if (!this.#canStart(owner, need, now)) continue;
      this.#reservations.delete(owner);
      this.#hold(owner, need, now);
      effects.push({ t: "pull", owner, room: this.roomFor(owner, now) });
    }
  }

  #hold(owner: PeerId, need: WorkerNeed, now: number): void {
    this.#holds.push({ ...need, owner, untilMs: now + SOFT_HOLD_MS });
  }

  #release(owner: PeerId): void {
    this.#holds = this.#holds.filter((hold) => hold.owner !== owner);
  }

  #consumeHold(owner: PeerId): void {
    const at = this.#holds.findIndex((hold) => hold.owner === owner);
    if (at >= 0) this.#holds.splice(at, 1);
  }

  #expire(now: number): void {
    if (this.#holds.some((hold) => hold.untilMs <= now))
      this.#holds = this.#holds.filter((hold) => hold.untilMs > now);
  }
}
