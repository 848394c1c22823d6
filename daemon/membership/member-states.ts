/**
 * Who is in which state, and why: claims of others against what we know, our own accusations, what we answer to accusations of
 * ourselves. The graver state of one incarnation wins; only its owner makes a new incarnation. Rules M1 to M6 in the README.
 */
import type { PeerId, PeerState } from "../../src/model/peer.ts";
import { COUNT_MAX, type PeerKey } from "../../src/wire/membership-protocol.ts";
import { provesLeave } from "./leave-proof.ts";
import type { MembershipEffect } from "./membership-events.ts";
import {
  HEARSAY_DOUBT_MS,
  LEFT_KEPT_MS,
  RESTART_GRACE_MS,
  SEED_GRACE_MS,
  TICK_MS,
} from "./membership-limits.ts";
import { addressesOf, compareStates, type PeerRecord, type StateClaim } from "./peer-record.ts";
import type { PeerTable } from "./peer-table.ts";
import { confirm, fixedSuspicion, hurry, suspicionOf } from "./suspicion.ts";

export interface Claim extends StateClaim {
  readonly accusers: readonly PeerKey[];
  readonly proof: Uint8Array | undefined;
}

export class MemberStates {
  readonly #table: PeerTable;
  readonly #emit: (effect: MembershipEffect) => void;
  readonly #suspects = new Set<PeerRecord>();
  /** This daemon is ending: what others say of it is about to be true. */
  isEnding = false;
  /** Changed since the last flush: told to a few at once. */
  readonly #news = new Set<PeerRecord>();

  constructor(table: PeerTable, emit: (effect: MembershipEffect) => void) {
    this.#table = table;
    this.#emit = emit;
  }

  takeNews(): PeerRecord[] {
    const news = [...this.#news].filter((record) => record.boot > 0);
    this.#news.clear();
    return news;
  }

  /** Somebody says something about a peer's state. True where we were wrong about ourselves and refuted. */
  claim(record: PeerRecord, claim: Claim, now: number): boolean {
    if (record === this.#table.self) return this.refute(claim);
    const order = compareStates(claim, record);
    if (order < 0) return false;
    if (order === 0) {
      for (const accuser of claim.accusers) this.#confirmed(record, accuser);
      return false;
    }
    const isSameBoot = claim.boot === record.boot;
    if (claim.state === "left" && !this.#mayLeave(record, claim)) return false;
    if (claim.state === "dead" && isSameBoot) {
      if (now < (record.restartUntil ?? -Infinity)) return false;
      // We hear it ourselves: let it answer first.
      if (record.isConnected && now - record.heardAt < HEARSAY_DOUBT_MS) {
        if (claim.counter > record.counter) record.counter = claim.counter;
        if (record.state === "alive") this.#become(record, "suspect", now);
        return false;
      }
    }
    const isRestarted = record.boot > 0 && !isSameBoot;
    record.boot = claim.boot;
    record.counter = claim.counter;
    record.leaveProof = claim.state === "left" ? claim.proof : undefined;
    if (isRestarted) this.#restarted(record);
    this.#become(record, claim.state, now, claim.accusers);
    this.#news.add(record);
    return false;
  }

  /** A process with a higher boot counter than we knew says so by what it tells of itself. */
  sawBoot(record: PeerRecord, boot: number, now: number): void {
    if (boot > record.boot)
      this.claim(record, { boot, counter: 0, state: "alive", accusers: [], proof: undefined }, now);
  }

  /** Our own probes did not reach it. */
  accuse(record: PeerRecord, isHurried: boolean, now: number): void {
    const own = this.#table.self.key;
    if (record.state === "alive") {
      this.#become(record, "suspect", now, [own]);
      this.#news.add(record);
    } else if (record.state === "suspect") this.#confirmed(record, own);
    if (isHurried && record.suspicion !== undefined) hurry(record.suspicion);
  }

  /** Nobody listens where its process did. */
  gone(record: PeerRecord, now: number): void {
    if (record.state !== "alive" && record.state !== "suspect") return;
    this.#emit({ t: "tell", event: { t: "gone", peer: record.id } });
    this.#become(record, "dead", now);
    this.#news.add(record);
  }

  /** It announced to be back soon. */
  restarting(record: PeerRecord, now: number): void {
    if (record.state !== "alive" && record.state !== "suspect") return;
    record.restartUntil = now + RESTART_GRACE_MS;
    this.#become(record, "suspect", now);
    record.suspicion = fixedSuspicion(now, RESTART_GRACE_MS);
  }

  /** A peer to be met: suspect until it answers or its time is up. */
  awaited(record: PeerRecord, now: number): void {
    this.#become(record, "suspect", now);
    record.suspicion = fixedSuspicion(now, SEED_GRACE_MS);
  }

  /** It is connected and has not said anything yet. */
  met(record: PeerRecord, now: number): void {
    if (record.boot === 0) this.#become(record, "alive", now);
  }

  /** Its record says a new thing. */
  changed(record: PeerRecord): void {
    record.view = undefined;
    if (record.isMember) this.#tell(record, record.state);
  }

  /** Our own next incarnation, in `state`. */
  renew(state: PeerState): void {
    const { self } = this.#table;
    this.#raise(self.boot, self.counter);
    self.state = state;
    self.view = undefined;
    this.#news.add(self);
  }

  due(now: number): void {
    for (const record of this.#suspects) {
      const { suspicion } = record;
      if (suspicion === undefined || suspicion.deadline > now) continue;
      const isHeard = record.isConnected && now - record.heardAt < HEARSAY_DOUBT_MS;
      if (isHeard && !suspicion.isFixed) {
        // What we hear of it is that it lives: it will refute, or fall silent.
        suspicion.deadline = now + TICK_MS;
        continue;
      }
      const wasRestarting = record.restartUntil !== undefined;
      if (wasRestarting) this.#emit({ t: "tell", event: { t: "gone", peer: record.id } });
      this.#become(record, "dead", now);
      this.#news.add(record);
    }
  }

  /** Those who left long ago. */
  sweep(now: number): void {
    for (const record of this.#table.others())
      if (record.leftAt !== undefined && now - record.leftAt > LEFT_KEPT_MS)
        this.#table.remove(record.id);
  }

  shift(ms: number): void {
    for (const { suspicion } of this.#suspects) {
      if (suspicion === undefined) continue;
      suspicion.deadline += ms;
      suspicion.startedAt += ms;
    }
  }

  forget(peer: PeerId): void {
    const record = this.#table.get(peer);
    if (record !== undefined) this.#suspects.delete(record);
    this.#table.ban(peer);
  }

  get nextDeadline(): number {
    let next = Infinity;
    for (const { suspicion } of this.#suspects) next = Math.min(next, suspicion?.deadline ?? next);
    return next;
  }

  /** Whoever speaks of us with an incarnation we never had, or worse of us than we are, gets a higher one. */
  refute(claim: Claim): boolean {
    const { self } = this.#table;
    if (this.isEnding || compareStates(claim, self) <= 0) return false;
    if (claim.boot > self.boot)
      this.#emit({ t: "log", event: "membership.boot-raised", fields: { boot: claim.boot } });
    this.#raise(claim.boot, claim.counter);
    self.view = undefined;
    this.#news.add(self);
    return true;
  }

  #raise(boot: number, counter: number): void {
    const { self } = this.#table;
    const isFull = counter >= COUNT_MAX;
    self.boot = isFull ? Math.min(COUNT_MAX, boot + 1) : boot;
    self.counter = isFull ? 0 : counter + 1;
    // What we said in a former boot counter is worth nothing to others.
    if (self.about !== undefined) self.about = { ...self.about, boot: self.boot };
    self.loadBoot = self.boot;
  }

  #mayLeave(record: PeerRecord, claim: Claim): boolean {
    return (
      claim.boot === record.about?.boot && provesLeave(claim.proof, record.about.leaveCommitment)
    );
  }

  #restarted(record: PeerRecord): void {
    record.load = undefined;
    record.toldLoad = -1;
    this.#emit({ t: "tell", event: { t: "restarted", peer: record.id } });
  }

  #confirmed(record: PeerRecord, accuser: PeerKey): void {
    if (record.suspicion !== undefined && confirm(record.suspicion, accuser))
      this.#news.add(record);
  }

  #become(
    record: PeerRecord,
    state: PeerState,
    now: number,
    accusers: readonly PeerKey[] = [],
  ): void {
    const was = record.state;
    record.state = state;
    record.restartUntil = state === "suspect" ? record.restartUntil : undefined;
    record.resetAt = state === "suspect" ? record.resetAt : undefined;
    record.leftAt = state === "left" ? now : undefined;
    if (state === "suspect") {
      record.suspicion = suspicionOf(now, this.#table.liveCount, accusers);
      this.#suspects.add(record);
    } else {
      record.suspicion = undefined;
      this.#suspects.delete(record);
    }
    record.view = undefined;
    if (was === state) return;
    if (state === "left") this.#emit({ t: "drop", peer: record.id });
    else if (was === "left")
      this.#emit({ t: "keep", peer: record.id, addresses: addressesOf(record) });
    if (state === "left" || was === "left") this.#emit({ t: "remember" });
    if (!record.isMember) return;
    this.#tell(record, was);
    this.#emit({ t: "log", event: "membership.state", fields: { peer: record.id, state, was } });
  }

  /** Who was never told of before was nothing before. */
  #tell(record: PeerRecord, was: PeerState): void {
    const peer = this.#table.view(record);
    this.#emit({
      t: "tell",
      event: { t: "changed", peer, was: record.isTold ? was : undefined },
    });
    record.isTold = true;
  }
}
