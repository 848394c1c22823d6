/**
 * Who acts for one run, as this peer sees it: owner, or holder that watches the owner and may have to take its place. Pure: events
 * in, effects out, `now` is given. Invariants O1 to O7 in the README; the states are drawn there too.
 */
import type { RunOwner } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { JournalView } from "../../src/wire/ownership-protocol.ts";
import { unreachable } from "../../src/std/assert.ts";
import { keepersOfClaim, mendedKeepers } from "./keeper-choice.ts";
import { compareOwners } from "./journal-agreement.ts";
import type {
  CopyState,
  OtherState,
  OwnershipEffect,
  OwnershipEvent,
  PeersNow,
} from "./ownership-events.ts";
import {
  APPEND_RETRY_MS,
  ASK_INTERVAL_MS,
  CLAIM_STAGGER_MS,
  RECOVER_ALONE_MS,
  RESUME_RETRY_MS,
  WATCH_SYNC_MS,
} from "./ownership-limits.ts";
import { furthest, highestOwner } from "./other-states.ts";
import { ReplicaSet } from "./replica-set.ts";

type Phase = "watching" | "asking" | "pulling" | "claiming" | "owning" | "over";

export interface OwnershipOptions {
  readonly self: { readonly peer: PeerId; readonly name: string };
  readonly copy: CopyState;
  readonly peers: PeersNow;
  /** `owner`: the run begins here. `former`: this peer owned it before it restarted. */
  readonly role: "owner" | "holder" | "former";
  readonly now: number;
}

const NOBODY: RunOwner = { peer: "" as PeerId, name: "", ballot: 0 };

export class OwnershipMachine {
  readonly #self: OwnershipOptions["self"];
  readonly #replicas = new ReplicaSet();
  #phase: Phase;
  #by: RunOwner;
  #view: JournalView;
  #keepers: readonly PeerId[];
  #peers: PeersNow;
  #dueAt = Infinity;
  #asked = 0;
  /** Why others are asked: to take a lost owner's place, after our own restart, or only to hear how the run is. */
  #why: "lost" | "restart" | "sync" = "sync";
  #askingSince = -Infinity;
  #askedAt = -Infinity;
  #askAgainAt = Infinity;
  #heardAt: number;
  #lostAt: number | undefined;
  /** After pulling: take the run over. */
  #claimsNext = false;
  #isWriting = false;
  /** After a write that failed. */
  #mendAt = 0;
  #handing: Set<PeerId> | undefined;
  #resumeAt = Infinity;
  #effects: OwnershipEffect[] = [];

  constructor({ self, copy, peers, role, now }: OwnershipOptions) {
    this.#self = self;
    this.#view = copy.view;
    this.#by = copy.by ?? NOBODY;
    this.#keepers = copy.keepers;
    this.#peers = peers;
    this.#heardAt = now;
    this.#phase = role === "owner" ? "owning" : "watching";
    if (role === "former") this.#ask("restart", now);
    this.#go(now);
  }

  get isOwning(): boolean {
    return this.#phase === "owning";
  }

  get owner(): RunOwner {
    return this.#by;
  }

  get keepers(): readonly PeerId[] {
    return this.#keepers;
  }

  get isOver(): boolean {
    return this.#phase === "over";
  }

  /** Keepers that could go on with the run now. */
  get storedCount(): number {
    return this.#keepers.filter((peer) => this.#replicas.isStored(peer)).length;
  }

  /** When `tick` is due. */
  get dueAt(): number {
    return this.#dueAt;
  }

  takeEffects(): readonly OwnershipEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  accept(event: OwnershipEvent, now: number): void {
    this.#apply(event, now);
    this.#go(now);
  }

  #apply(event: OwnershipEvent, now: number): void {
    switch (event.t) {
      case "tick":
        return;
      case "peers-changed":
        return this.#peersChanged(event.peers);
      case "journal-grew":
        return this.#journalGrew(event.copy, now);
      case "append-answered":
        return this.#replicas.answered(event.to, event.length, now);
      case "append-failed":
        return this.#replicas.failed(event.to, now);
      case "keep-answered":
        return this.#replicas.keepAnswered(event.to, event.isStored, now);
      case "owner-told":
        return this.#ownerTold(event.by, event.from, now);
      case "others-answered":
        if (event.asked === this.#asked) this.#othersAnswered(event.others, now);
        return;
      case "pulled":
        return this.#pulled(now);
      case "owner-written":
        return this.#ownerWritten(event.by, event.isDone, now);
      case "resume-failed":
        this.#resumeAt = now + RESUME_RETRY_MS;
        return;
      case "handed":
        return this.#handed(event.from);
      case "hand-over-asked":
        if (this.#phase === "owning") this.#handing ??= new Set();
        return this.#handOver();
      case "hand-over-answered":
        return this.#handOverAnswered(event, now);
      default:
        unreachable(event);
    }
  }

  /** What follows from where things stand, whatever happened. */
  #go(now: number): void {
    this.#dueAt = Infinity;
    if (this.#phase === "owning") this.#own(now);
    else if (this.#phase === "watching") this.#watch(now);
    else if (this.#phase === "asking") this.#askAgain(now);
  }

  #own(now: number): void {
    const { length, hasEnded } = this.#view;
    if (!hasEnded && this.#mendAt <= now) this.#mendKeepers();
    this.#effects.push(...this.#replicas.pump(length, this.#peers.alive, now));
    if (this.#resumeAt <= now) {
      this.#resumeAt = Infinity;
      this.#effects.push({ t: "resume", by: this.#by });
    }
    this.#dueAt = Math.min(
      this.#resumeAt,
      this.#mendAt > now ? this.#mendAt : Infinity,
      this.#replicas.nextRetryAt(length, this.#peers.alive, now),
    );
    const isKept = (peer: PeerId): boolean =>
      this.#replicas.isSynced(peer, length) || !this.#peers.alive.has(peer);
    if (hasEnded && this.#keepers.every(isKept)) this.#end();
  }

  #watch(now: number): void {
    if (this.#view.hasEnded) return this.#end();
    // Named as owner without owning: a claim that could not be written, or one made before a restart.
    const isOurs = this.#by.peer === this.#self.peer;
    if (!isOurs && this.#peers.alive.has(this.#by.peer)) {
      this.#lostAt = undefined;
      this.#dueAt = this.#heardAt + WATCH_SYNC_MS;
      if (this.#dueAt > now) return;
      this.#heardAt = now;
      this.#dueAt = now + WATCH_SYNC_MS;
      this.#ask("sync", now);
      return;
    }
    this.#lostAt ??= now;
    const staggerMs = isOurs ? 0 : this.#rank() * CLAIM_STAGGER_MS;
    this.#dueAt = Math.max(this.#lostAt + staggerMs, this.#askedAt + ASK_INTERVAL_MS);
    if (this.#dueAt <= now) this.#ask(isOurs ? "restart" : "lost", now);
  }

  /** Holders that are no keepers (a fenced owner, a replaced keeper) come last. */
  #rank(): number {
    const rank = this.#keepers.indexOf(this.#self.peer);
    return rank < 0 ? this.#keepers.length + 1 : rank;
  }

  #ask(why: "lost" | "restart" | "sync", now: number): void {
    const whom = why === "sync" ? [this.#by.peer] : [this.#by.peer, ...this.#holders()];
    const peers = [...new Set(whom)].filter((peer) => {
      const mayAnswer = why === "restart" || this.#peers.alive.has(peer);
      return mayAnswer && peer !== this.#self.peer && peer !== NOBODY.peer;
    });
    if (why !== this.#why || this.#phase !== "asking") this.#askingSince = now;
    this.#why = why;
    this.#asked++;
    this.#askedAt = now;
    this.#askAgainAt = Infinity;
    if (why !== "sync") this.#phase = "asking";
    if (peers.length > 0 || why === "sync")
      this.#effects.push({ t: "ask-others", asked: this.#asked, peers });
    else this.#claim(now);
  }

  /** Everybody who may have a copy: the keepers, and who owned the run before. */
  #holders(): PeerId[] {
    return [...this.#keepers, ...this.#view.spans.map((span) => span.peer)];
  }

  #askAgain(now: number): void {
    this.#dueAt = this.#askAgainAt;
    if (this.#dueAt > now) return;
    if (now - this.#askingSince >= RECOVER_ALONE_MS) this.#claim(now);
    else this.#ask("restart", now);
  }

  #othersAnswered(others: readonly OtherState[], now: number): void {
    const isAsking = this.#phase === "asking";
    if (!isAsking && this.#phase !== "watching") return;
    if (isAsking && this.#why === "restart" && others.length === 0) {
      this.#askAgainAt = this.#askedAt + ASK_INTERVAL_MS;
      return;
    }
    const highest = highestOwner(others, this.#by);
    const isNew = compareOwners(highest, this.#by) > 0;
    this.#by = highest;
    const best = furthest(others, this.#view);
    // Who answers is there, whatever membership says of it so far.
    const isThere = others.some(({ peer }) => peer === highest.peer);
    const isAlive = isThere || this.#peers.alive.has(highest.peer);
    const isOwned = highest.peer !== this.#self.peer && isAlive;
    if (best?.view.hasEnded === true || isOwned) {
      // Somebody goes on with it (or it is over): follow.
      this.#follow(now);
      if (best !== undefined || isNew) this.#pull(best?.peer ?? highest.peer, false);
      return;
    }
    if (!isAsking) return;
    if (best === undefined) return this.#claim(now);
    this.#phase = "pulling";
    this.#pull(best.peer, true);
  }

  #pull(from: PeerId, claimsNext: boolean): void {
    this.#claimsNext = claimsNext;
    this.#effects.push({ t: "pull", from });
  }

  #pulled(now: number): void {
    const claims = this.#claimsNext;
    this.#claimsNext = false;
    if (this.#phase === "pulling") {
      if (claims && !this.#view.hasEnded) return this.#claim(now);
      this.#follow(now);
    }
  }

  #claim(now: number): void {
    if (this.#view.hasEnded) return this.#follow(now);
    this.#phase = "claiming";
    this.#dueAt = Infinity;
    this.#by = {
      peer: this.#self.peer,
      name: this.#self.name,
      ballot: Math.max(this.#by.ballot, this.#view.spans.at(-1)?.ballot ?? 0) + 1,
    };
    this.#write(keepersOfClaim(this.#keepers, this.#peers, this.#self.peer));
  }

  #write(keepers: readonly PeerId[]): void {
    this.#isWriting = true;
    this.#effects.push({ t: "write-owner", by: this.#by, keepers });
  }

  #ownerWritten(by: RunOwner, isDone: boolean, now: number): void {
    this.#isWriting = false;
    if (!isDone) this.#mendAt = now + APPEND_RETRY_MS;
    if (this.#phase !== "claiming") return;
    if (!isDone) return this.#follow(now);
    this.#phase = "owning";
    this.#replicas.clear();
    this.#replicas.choose(this.#keepers);
    this.#effects.push({ t: "announce" }, { t: "resume", by });
  }

  #journalGrew(copy: CopyState, now: number): void {
    this.#view = copy.view;
    this.#keepers = copy.keepers;
    this.#heardAt = now;
    if (copy.by !== undefined && compareOwners(copy.by, this.#by) > 0) this.#by = copy.by;
    if (this.#phase === "owning") this.#replicas.choose(this.#keepers);
  }

  #ownerTold(by: RunOwner, from: PeerId | undefined, now: number): void {
    const order = compareOwners(by, this.#by);
    if (order > 0) return this.#giveWay(by, now);
    if (order === 0 && by.peer !== this.#self.peer) this.#heardAt = now;
    if (order < 0 && from !== undefined && this.#phase === "owning")
      this.#effects.push({ t: "announce", to: from });
  }

  /** Somebody has a higher ballot (O2): stop, and let our copy follow theirs. */
  #giveWay(by: RunOwner, now: number): void {
    const wasOwning = this.#phase === "owning";
    this.#by = by;
    this.#follow(now);
    if (wasOwning) {
      this.#replicas.clear();
      this.#effects.push({ t: "abandon", to: by });
      if (this.#handing !== undefined) this.#effects.push({ t: "hand-over-ended", isDone: true });
      this.#handing = undefined;
    }
    if (this.#peers.alive.has(by.peer)) this.#pull(by.peer, false);
  }

  #follow(now: number): void {
    this.#phase = "watching";
    this.#resumeAt = Infinity;
    this.#lostAt = undefined;
    this.#heardAt = now;
    this.#asked++;
  }

  #peersChanged(peers: PeersNow): void {
    const before = this.#peers.alive;
    this.#peers = peers;
    if (this.#phase !== "owning") return;
    for (const peer of peers.alive) {
      if (before.has(peer) || peer === this.#self.peer) continue;
      this.#replicas.returned(peer);
      // It may have missed that the run changed hands, or still believe it is its own.
      this.#effects.push({ t: "announce", to: peer });
    }
  }

  /** One keeper at a time gives way to the next in rank, and only where there is a next (O5). */
  #mendKeepers(): void {
    if (this.#isWriting) return;
    const isSettling = this.#keepers.some(
      (peer) => this.#peers.alive.has(peer) && !this.#replicas.isStored(peer),
    );
    const mended = isSettling ? undefined : mendedKeepers(this.#keepers, this.#peers);
    if (mended !== undefined) this.#write(mended);
  }

  #handed(from: PeerId): void {
    if (this.#phase !== "watching" && this.#phase !== "asking") return;
    this.#asked++;
    this.#phase = "pulling";
    this.#pull(from, true);
  }

  #handOver(): void {
    if (this.#handing === undefined) {
      this.#effects.push({ t: "hand-over-ended", isDone: this.#phase !== "owning" });
      return;
    }
    const tried = this.#handing;
    const next = this.#keepers.find(
      (peer) => !tried.has(peer) && this.#peers.alive.has(peer) && this.#replicas.isStored(peer),
    );
    if (next === undefined || this.#view.hasEnded) {
      this.#handing = undefined;
      this.#effects.push({ t: "hand-over-ended", isDone: false });
      return;
    }
    tried.add(next);
    this.#effects.push({ t: "ask-own", to: next });
  }

  #handOverAnswered(
    { by }: Extract<OwnershipEvent, { t: "hand-over-answered" }>,
    now: number,
  ): void {
    if (this.#handing === undefined) return;
    if (by !== undefined && compareOwners(by, this.#by) > 0) return this.#giveWay(by, now);
    this.#handOver();
  }

  #end(): void {
    this.#phase = "over";
    this.#effects.push({ t: "forget" });
  }
}
