/**
 * Who acts for one run, as this peer sees it: owner, or holder that watches the owner and may have to take its place. Pure: events
 * in, effects out, `now` is given. Invariants O1 to O7 in the README; the states are drawn there too.
 */
import type { RunOwner } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { JournalView } from "../../src/wire/ownership-protocol.ts";
import { unreachable } from "../../src/std/assert.ts";
import { HolderTelling } from "./holder-telling.ts";
import { claimDelayMs, keepersOfClaim, mendedKeepers } from "./keeper-choice.ts";
import { compareOwners, isOutdated } from "./journal-agreement.ts";
import { HandOver } from "./hand-over.ts";
import {
  NOBODY,
  type CopyState,
  type EventOf,
  type OwnershipEffect,
  type OwnershipEvent,
  type OwnershipOptions,
  type OwnershipPhase,
  type OwnershipState,
  type PeersNow,
} from "./ownership-events.ts";
import {
  APPEND_RETRY_MS,
  ASK_INTERVAL_MS,
  ENDED_HOLD_MS,
  RECOVER_ALONE_MS,
  RESUME_CALM_MS,
  RESUME_RETRY_MS,
  RESUME_RETRY_MS_MAX,
  WATCH_SYNC_MS,
} from "./ownership-limits.ts";
import { furthest, highestOwner, peersToAsk } from "./other-states.ts";
import { ReplicaSet } from "./replica-set.ts";

export class OwnershipMachine {
  readonly #self: OwnershipOptions["self"];
  readonly #replicas = new ReplicaSet();
  readonly #telling = new HolderTelling();
  #phase: OwnershipPhase;
  #by: RunOwner;
  #view: JournalView;
  #keepers: readonly PeerId[];
  #holders: readonly PeerId[];
  #endedAt: number | undefined;
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
  #hasSeenOwner = false;
  /** After pulling: take the run over. */
  #claimsNext = false;
  #isWriting = false;
  /** After a write that failed. */
  #mendAt = 0;
  readonly #handOver = new HandOver();
  #resumeAt = Infinity;
  #breaks = 0;
  #brokeAt = -Infinity;
  #ballotSeen = 0;
  #effects: OwnershipEffect[] = [];

  constructor({ self, copy, peers, role, now }: OwnershipOptions) {
    this.#self = self;
    this.#view = copy.view;
    this.#by = copy.by ?? NOBODY;
    this.#keepers = copy.keepers;
    this.#holders = copy.holders;
    this.#peers = peers;
    this.#heardAt = now;
    this.#phase = role === "owner" ? "owning" : "watching";
    this.#replicas.choose(copy.keepers);
    if (role === "former") this.#ask("restart", now);
    this.#go(now);
  }

  get state(): OwnershipState {
    return {
      isOwning: this.#phase === "owning",
      isOver: this.#phase === "over",
      owner: this.#by,
      keepers: this.#keepers,
      storedCount: this.#keepers.filter((peer) => this.#replicas.isStored(peer)).length,
      dueAt: this.#dueAt,
    };
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
      case "tell-answered":
        return this.#telling.answered(event.to, event.isTold, now);
      case "owner-told":
        return this.#ownerTold(event, now);
      case "others-answered":
        return this.#othersAnswered(event, now);
      case "pulled":
        return this.#pulled(event.isDone, now);
      case "owner-written":
        return this.#ownerWritten(event.by, event.isDone, now);
      case "run-broken":
        return this.#runBroken(event.fencedBy, now);
      case "handed":
        return this.#handed(event.from);
      case "hand-over-asked":
        if (this.#phase === "owning") this.#handOver.begin();
        return this.#handOn();
      case "hand-over-answered":
        if (event.by !== undefined) this.#ownerTold({ by: event.by }, now);
        return this.#phase === "owning" ? this.#handOn() : undefined;
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
    if (this.#phase !== "over") this.#tell(now);
  }

  #own(now: number): void {
    const { length, hasEnded } = this.#view;
    if (!hasEnded && !this.#isWriting && this.#mendAt <= now) this.#mendKeepers();
    const { alive } = this.#peers;
    this.#effects.push(...this.#replicas.pump(this.#view, alive, now));
    if (this.#resumeAt <= now) {
      this.#resumeAt = Infinity;
      this.#effects.push({ t: "resume", by: this.#by });
    }
    this.#dueAt = Math.min(
      this.#resumeAt,
      this.#mendAt > now ? this.#mendAt : Infinity,
      this.#replicas.nextSendAt(length, alive, now),
    );
    if (hasEnded) this.#endWhenTold(now);
  }

  /** Who ever held the run must hear of its end (two sides of a partition may both have ended it): the absent are waited for. */
  #endWhenTold(now: number): void {
    const { length } = this.#view;
    // Whoever was told while it went on has not heard of the end.
    if (this.#endedAt === undefined && this.#phase === "owning") this.#telling.clear();
    const endAt = (this.#endedAt ??= now) + ENDED_HOLD_MS;
    const isKept =
      this.#phase !== "owning" ||
      this.#keepers.every((peer) => this.#replicas.isSynced(peer, length));
    const isTold = this.#toTell().every((peer) => this.#telling.isTold(peer));
    if ((isKept && isTold) || endAt <= now) return this.#end();
    this.#dueAt = Math.min(this.#dueAt, endAt);
  }

  #tell(now: number): void {
    const { alive } = this.#peers;
    const peers = this.#toTell();
    this.#effects.push(...this.#telling.pump(peers, alive, now));
    this.#dueAt = Math.min(this.#dueAt, this.#telling.nextRetryAt(peers, alive));
  }

  #toTell(): PeerId[] {
    const former = this.#phase === "owning" ? this.#holders : [];
    return this.#telling.whom(former, [...this.#keepers, this.#by.peer, this.#self.peer]);
  }

  #watch(now: number): void {
    if (this.#view.hasEnded && !isOutdated(this.#view, this.#by)) return this.#endWhenTold(now);
    // Named as owner without owning: a claim that could not be written, or one made before a restart.
    const isOurs = this.#by.peer === this.#self.peer;
    if (!isOurs && this.#peers.alive.has(this.#by.peer)) {
      this.#lostAt = undefined;
      this.#hasSeenOwner = true;
      this.#dueAt = this.#heardAt + WATCH_SYNC_MS;
      if (this.#dueAt > now) return;
      this.#heardAt = now;
      this.#dueAt = now + WATCH_SYNC_MS;
      this.#ask("sync", now);
      return;
    }
    this.#lostAt ??= now;
    const waitMs = isOurs ? 0 : claimDelayMs(this.#keepers, this.#self.peer, this.#hasSeenOwner);
    this.#dueAt = Math.max(this.#lostAt + waitMs, this.#askedAt + ASK_INTERVAL_MS);
    if (this.#dueAt <= now) this.#ask(isOurs || !this.#hasSeenOwner ? "restart" : "lost", now);
  }

  #ask(why: "lost" | "restart" | "sync", now: number): void {
    const whom = [this.#by.peer, ...(why === "sync" ? [] : this.#holders)];
    const alive = why === "restart" ? undefined : this.#peers.alive;
    const peers = peersToAsk(whom, this.#self.peer, alive);
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

  #askAgain(now: number): void {
    this.#dueAt = this.#askAgainAt;
    if (this.#dueAt > now) return;
    if (now - this.#askingSince >= RECOVER_ALONE_MS) this.#claim(now);
    else this.#ask("restart", now);
  }

  #othersAnswered({ asked, others }: EventOf<"others-answered">, now: number): void {
    const isAsking = this.#phase === "asking";
    if (asked !== this.#asked || (!isAsking && this.#phase !== "watching")) return;
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

  #pulled(isDone: boolean, now: number): void {
    if (!isDone && isOutdated(this.#view, this.#by))
      this.#heardAt = now - WATCH_SYNC_MS + APPEND_RETRY_MS;
    const claims = this.#claimsNext;
    this.#claimsNext = false;
    if (this.#phase === "pulling") {
      if (claims && !this.#view.hasEnded) return this.#claim(now);
      this.#follow(now);
    }
  }

  #claim(now: number): void {
    if (this.#view.hasEnded) {
      // Nobody who can be asked has more than this end.
      this.#by = { ...NOBODY, ...this.#view.spans.at(-1) };
      return this.#follow(now);
    }
    this.#phase = "claiming";
    this.#dueAt = Infinity;
    this.#by = {
      peer: this.#self.peer,
      name: this.#self.name,
      ballot: 1 + Math.max(this.#by.ballot, this.#ballotSeen, this.#view.spans.at(-1)?.ballot ?? 0),
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
    this.#telling.clear();
    this.#replicas.choose(this.#keepers);
    this.#effects.push({ t: "announce" }, { t: "resume", by });
  }

  #journalGrew(copy: CopyState, now: number): void {
    const hasOrphans = this.#telling.gaveWay(this.#holders, copy.holders);
    this.#view = copy.view;
    this.#keepers = copy.keepers;
    this.#holders = copy.holders;
    if (this.#phase === "over" && (hasOrphans || !copy.view.hasEnded)) this.#phase = "watching";
    this.#heardAt = now;
    if (copy.by !== undefined && compareOwners(copy.by, this.#by) > 0) this.#by = copy.by;
    if (this.#phase === "owning") this.#replicas.choose(this.#keepers);
  }

  #ownerTold({ by, from, isSending }: Omit<EventOf<"owner-told">, "t">, now: number): void {
    const order = compareOwners(by, this.#by);
    if (order > 0) {
      this.#giveWay(by, now);
      if (isSending !== true && this.#peers.alive.has(by.peer)) this.#pull(by.peer, false);
    }
    if (order === 0 && by.peer !== this.#self.peer) {
      this.#heardAt = now;
      // Told by the owner, as a former holder is, of an end that the owner's pages no longer bring here.
      const isTold = from === undefined && isSending !== true;
      if (isTold && this.#phase === "watching" && !this.#view.hasEnded) this.#pull(by.peer, false);
    }
    if (order < 0 && from !== undefined) this.#effects.push({ t: "announce", to: from });
  }

  /** Fenced by a worker: its ballot is somebody's who owns the run now, or who died over the claim. */
  #runBroken(fencedBy: number | undefined, now: number): void {
    if (this.#phase !== "owning") return;
    if (now - this.#brokeAt > RESUME_CALM_MS) this.#breaks = 0;
    this.#brokeAt = now;
    this.#resumeAt = now + Math.min(RESUME_RETRY_MS * 2 ** this.#breaks++, RESUME_RETRY_MS_MAX);
    if (fencedBy === undefined || fencedBy <= this.#by.ballot) return;
    this.#ballotSeen = fencedBy;
    this.#ask("restart", now);
  }

  /** Somebody has a higher ballot (O2): stop, and let our copy follow theirs. */
  #giveWay(by: RunOwner, now: number): void {
    const wasOwning = this.#phase === "owning";
    this.#by = by;
    this.#telling.clear();
    this.#follow(now);
    if (wasOwning) {
      this.#replicas.clear();
      this.#effects.push({ t: "abandon", to: by });
      this.#effects.push(...this.#handOver.end(true));
    }
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
    for (const peer of peers.alive) {
      if (before.has(peer) || peer === this.#self.peer) continue;
      this.#replicas.returned(peer);
      this.#telling.returned(peer);
    }
  }

  /** One keeper at a time gives way to the next in rank, and only where there is a next (O5). */
  #mendKeepers(): void {
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

  /** To the first keeper that could go on at once; then the next. */
  #handOn(): void {
    const able = this.#keepers.filter(
      (peer) => this.#peers.alive.has(peer) && this.#replicas.isStored(peer),
    );
    this.#effects.push(...this.#handOver.next(this.#view.hasEnded ? [] : able));
  }

  #end(): void {
    this.#phase = "over";
    this.#effects.push({ t: "forget" });
  }
}
