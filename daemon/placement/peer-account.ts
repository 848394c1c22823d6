/** What an owner knows of one worker from dealing with it: room, speed, faults. Pure. */
import { fits, type Demand } from "../../src/engine/scheduler/admission.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Room } from "../../src/wire/placement-values.ts";
import {
  AVOID_MS,
  FAULT_PAUSE_MS,
  FAULT_WINDOW_MS,
  FAULTS_MAX,
  QUEUED_WORK_MS_MAX,
  RESERVATION_MS,
  ROOM_VALID_MS,
} from "./placement-limits.ts";

export interface BatchNeed {
  readonly demand: Demand;
  readonly isExclusive: boolean;
  readonly expectedMs?: number;
}

export const NO_ROOM: Room = { slots: 0, queue: 0, cores: 0, memBytes: 0, gpus: 0 };

/** Of the last few dozen batches. */
const SPEED_WEIGHT = 0.1;

export class PeerAccount {
  readonly peer: PeerId;
  #room: Room = NO_ROOM;
  #roomAtMs = -Infinity;
  #reservedAtMs = -Infinity;
  #faultsAtMs: number[] = [];
  #avoidedUntilMs = -Infinity;
  isProbing = false;
  probedAtMs = -Infinity;
  /** Demands of grants that are on their way: a report may not know of them yet. */
  readonly granting = new Map<string, BatchNeed>();
  /** Time a task takes there, as a multiple of the mean over all peers. */
  slowness = 1;

  constructor(peer: PeerId) {
    this.peer = peer;
  }

  report(room: Room, now: number): void {
    this.#room = room;
    this.#roomAtMs = now;
    for (const need of this.granting.values()) this.#deduct(need);
  }

  /** The peer remembers that we wait. */
  reserve(now: number): void {
    this.#reservedAtMs = now;
  }

  unreserve(): void {
    this.#reservedAtMs = -Infinity;
  }

  isReserved(now: number): boolean {
    return now - this.#reservedAtMs < RESERVATION_MS;
  }

  isFresh(now: number): boolean {
    return now - this.#roomAtMs < ROOM_VALID_MS;
  }

  isAvoided(now: number): boolean {
    return now < this.#avoidedUntilMs;
  }

  /** It could begin at once. */
  canStart(need: BatchNeed, now: number): boolean {
    const room = this.#roomNow(now);
    if (!need.isExclusive && room.slots <= 0) return false;
    return fits(need.demand, { cores: 0, memBytes: 0, gpus: 0 }, room);
  }

  /** It could wait there behind what runs. */
  canQueue(need: BatchNeed, now: number): boolean {
    return (
      !need.isExclusive &&
      need.expectedMs !== undefined &&
      need.expectedMs <= QUEUED_WORK_MS_MAX &&
      this.#roomNow(now).queue > 0
    );
  }

  get queueRoom(): number {
    return this.#room.queue;
  }

  granted(lease: string, need: BatchNeed): void {
    this.granting.set(lease, need);
    this.#deduct(need);
  }

  /** @param ratio measured time by expected time */
  learnSlowness(ratio: number): void {
    const bounded = Math.min(10, Math.max(0.1, ratio));
    this.slowness += SPEED_WEIGHT * (bounded - this.slowness);
  }

  fault(now: number): void {
    this.#room = NO_ROOM;
    this.#faultsAtMs = this.#faultsAtMs.filter((at) => now - at < FAULT_WINDOW_MS);
    this.#faultsAtMs.push(now);
    const pauseMs = this.#faultsAtMs.length > FAULTS_MAX ? AVOID_MS : FAULT_PAUSE_MS;
    this.#avoidedUntilMs = Math.max(this.#avoidedUntilMs, now + pauseMs);
  }

  /** Its process is another one: nothing it said counts. */
  forget(): void {
    this.#room = NO_ROOM;
    this.#roomAtMs = -Infinity;
    this.unreserve();
    this.granting.clear();
  }

  #roomNow(now: number): Room {
    return this.isFresh(now) && !this.isAvoided(now) ? this.#room : NO_ROOM;
  }

  #deduct({ demand, isExclusive }: BatchNeed): void {
    const room = this.#room;
    const takesSlot = !isExclusive && room.slots > 0;
    const takesQueue = !isExclusive && !takesSlot;
    this.#room = {
      slots: room.slots - (takesSlot ? 1 : 0),
      queue: Math.max(0, room.queue - (takesQueue ? 1 : 0)),
      cores: room.cores - demand.cores,
      memBytes: Math.max(0, room.memBytes - demand.memBytes),
      gpus: Math.max(0, room.gpus - demand.gpus),
    };
  }
}
