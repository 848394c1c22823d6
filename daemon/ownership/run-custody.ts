/**
 * One run as this daemon holds it: its copy of the journal, its machine, and the performing of what the machine orders. Nothing
 * here decides; what fails becomes an event.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Engine } from "../../src/engine/run-api.ts";
import { isMfError, MfError } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry, RunOwner, RunSummary } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { fencedBy } from "./fenced-by.ts";
import type { CommitBatch, Store } from "../../src/store/ports.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import { RUN_OWNER, type JournalPage } from "../../src/wire/ownership-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { agreement, compareOwners, isAhead } from "./journal-agreement.ts";
import type { JournalCopy } from "./journal-copy.ts";
import type {
  OwnershipEffect,
  OwnershipEvent,
  OwnershipState,
  PeersNow,
} from "./ownership-events.ts";
import { FORGET_AFTER_MS, HAND_OVER_TIMEOUT_MS, JOURNAL_ENTRIES_MAX } from "./ownership-limits.ts";
import { OwnershipMachine } from "./ownership-machine.ts";
import { ConditionWaits } from "./condition-waits.ts";
import { wireEntry } from "../../src/wire/wire-entry.ts";
import { RunGoingOn } from "./run-going-on.ts";
import { RunPeers } from "./run-peers.ts";

export interface CustodyDeps {
  readonly self: PeerId;
  readonly name: string;
  readonly store: Store;
  readonly transport: Transport;
  readonly exchange: Pick<ContentExchange, "bring">;
  readonly engine: () => Engine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Peers to tell who owns a run. */
  readonly everybody: () => readonly PeerId[];
  readonly beforeResume: (run: RunRef, ballot: number) => Promise<void>;
  readonly forget: (custody: RunCustody) => void;
}

export interface CustodyOptions {
  readonly copy: JournalCopy;
  readonly peers: PeersNow;
  readonly role: "owner" | "holder" | "former";
}

export class RunCustody {
  readonly run: RunRef;
  readonly copy: JournalCopy;
  readonly going: RunGoingOn;
  readonly #deps: CustodyDeps;
  readonly #machine: OwnershipMachine;
  readonly #peers: RunPeers;
  #summary: RunSummary | undefined;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;
  #sending:
    | { readonly from: number; readonly length: number; readonly page: Promise<JournalPage> }
    | undefined;
  #pulling: Promise<unknown> = Promise.resolve();
  readonly #waits: ConditionWaits;
  #handedOver: ((isDone: boolean) => void)[] = [];

  constructor(deps: CustodyDeps, { copy, peers, role }: CustodyOptions) {
    this.run = copy.run;
    this.copy = copy;
    this.#deps = deps;
    this.#peers = new RunPeers(copy.run, deps);
    this.#waits = new ConditionWaits(deps.clock);
    this.going = new RunGoingOn(copy.run, deps, {
      isOurs: (by) => !this.#isClosed && this.isOwning && compareOwners(this.owner, by) === 0,
      owner: () => this.owner,
      broken: (fencedBy) =>
        this.accept({ t: "run-broken", ...(fencedBy === undefined ? {} : { fencedBy }) }),
    });
    const { self: peer, name, clock } = deps;
    this.#machine = new OwnershipMachine({
      self: { peer, name },
      copy: copy.state,
      peers,
      role,
      now: clock.monotonic(),
    });
    queueMicrotask(() => this.#perform());
  }

  get state(): OwnershipState {
    return this.#machine.state;
  }

  get isOwning(): boolean {
    return this.#machine.state.isOwning;
  }

  get owner(): RunOwner {
    return this.#machine.state.owner;
  }

  accept(event: OwnershipEvent): void {
    if (this.#isClosed) return;
    this.#machine.accept(event, this.#deps.clock.monotonic());
    this.#perform();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#waits.close();
  }

  /** Resolves true once `isSo`, false after `ms` (or when this daemon stops). */
  when(isSo: () => boolean, ms: number): Promise<boolean> {
    return this.#waits.until(isSo, ms);
  }

  /** What the engine makes durable. Facts always are; what it says of the run only while the run is ours. */
  async commit(batch: CommitBatch): Promise<void> {
    const { journal, summary, ...made } = batch;
    await this.copy.write((view) => {
      if (!this.isOwning || view.hasEnded) return { ...made, entries: [] };
      return { ...made, entries: journal?.entries ?? [], ...this.#withOwner(summary) };
    });
    this.grew();
  }

  /** The first entries of a run that begins here, with its owner. */
  async begin(
    batch: CommitBatch,
    owner: Extract<JournalEntry, { t: "owner-changed" }>,
  ): Promise<void> {
    const { journal, summary, ...made } = batch;
    const [started, ...rest] = journal?.entries ?? [];
    if (started === undefined) return;
    this.#summary = summary === undefined ? undefined : { ...summary, owner: owner.owner };
    await this.copy.write(() => ({
      ...made,
      entries: [started, owner, ...rest],
      ...(this.#summary === undefined ? {} : { summary: this.#summary }),
    }));
  }

  grew(): void {
    this.accept({ t: "journal-grew", copy: this.copy.state });
  }

  /** A page of the owner's. @throws MfError PEER_FENCED, PEER_MISBEHAVED */
  async receive(from: PeerId, page: JournalPage): Promise<{ length: number }> {
    const run = runText(this.run);
    if (page.by.peer !== from)
      throw new MfError("PEER_MISBEHAVED", {
        peer: from,
        what: run,
        reason: "it is not the owner",
      });
    this.refuseLower(page.by);
    this.accept({ t: "owner-told", by: page.by, isSending: true });
    return { length: await this.#take(page) };
  }

  /** @throws MfError PEER_FENCED */
  refuseLower(by: RunOwner): void {
    const { owner } = this;
    if (compareOwners(by, owner) < 0)
      throw new MfError("PEER_FENCED", { run: runText(this.run), ...owner });
  }

  async answerPage(theirs: JournalPage["view"] | undefined, from?: number): Promise<JournalPage> {
    const { view } = this.copy;
    const start = from ?? (theirs === undefined ? 0 : agreement(view, theirs));
    const body = await this.copy.page(start);
    const summary = await this.#latestSummary();
    return {
      run: this.run,
      by: this.owner,
      view,
      from: start,
      entries: body.entries.map(wireEntry),
      facts: [...body.facts],
      inline: [...body.inline],
      ...(summary === undefined ? {} : { summary }),
    };
  }

  /** Gives the run to a keeper and stops scheduling it. False where nobody took it. */
  handOver(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#handedOver.push(resolve);
      this.accept({ t: "hand-over-asked" });
    });
  }

  /** Takes it from its owner. Undefined where that did not work. */
  async takeFrom(peer: PeerId): Promise<RunOwner | undefined> {
    this.accept({ t: "handed", from: peer });
    const isOurs = await this.when(() => this.isOwning, HAND_OVER_TIMEOUT_MS);
    return isOurs ? this.owner : undefined;
  }

  /** The entries that follow what both have; how much of the sender's journal is here afterwards. */
  async #take(page: JournalPage): Promise<number> {
    const { spans } = page.view;
    const theirs = { length: page.from + page.entries.length, spans };
    let length = 0;
    const summary =
      page.summary === undefined ? {} : { summary: { ...page.summary, owner: page.by } };
    await this.copy.write((view) => {
      const agreed = agreement(view, theirs);
      length = agreed;
      // A page of somebody who was fenced while it waited for its turn.
      const isStale = compareOwners(page.by, this.owner) < 0 && !isAhead(page.view, view);
      if (page.from > agreed || isStale || theirs.length > JOURNAL_ENTRIES_MAX) return undefined;
      const entries = page.entries.slice(agreed - page.from);
      length = agreed + entries.length;
      const made = { facts: page.facts, inline: page.inline };
      return entries.length === 0
        ? { ...made, entries }
        : { ...made, ...summary, entries, from: agreed };
    });
    if (page.summary !== undefined) this.#summary = { ...page.summary, owner: page.by };
    this.grew();
    return length;
  }

  #withOwner(summary: RunSummary | undefined): { summary?: RunSummary } {
    if (summary === undefined) return {};
    this.#summary = { ...summary, owner: this.owner };
    return { summary: this.#summary };
  }

  async #latestSummary(): Promise<RunSummary | undefined> {
    this.#summary ??= await this.#deps.store.getRun(this.run);
    return this.#summary;
  }

  #perform(): void {
    for (const effect of this.#machine.takeEffects()) this.#performOne(effect);
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { dueAt } = this.#machine.state;
    const { clock } = this.#deps;
    if (dueAt !== Infinity && !this.#isClosed) {
      const inMs = Math.max(0, dueAt - clock.monotonic());
      this.#cancelTimer = clock.after(inMs, () => this.accept({ t: "tick" }), { unref: true });
    }
    this.#waits.look();
  }

  #performOne(effect: OwnershipEffect): void {
    switch (effect.t) {
      case "send-append":
        return void this.#sendAppend(effect.to, effect.from);
      case "ask-keep":
        return this.#then(this.#peers.keep(effect.to), (isStored) => ({
          t: "keep-answered",
          to: effect.to,
          isStored,
        }));
      case "ask-others":
        return this.#then(this.#peers.states(effect.peers), (others) => ({
          t: "others-answered",
          asked: effect.asked,
          others,
        }));
      case "pull":
        return this.#pull(effect.from);
      case "tell":
        return void this.#tell(effect.to);
      case "write-owner":
        return void this.#writeOwner(effect.by, effect.keepers);
      case "announce":
        return this.#announce(effect.to);
      case "resume":
        return void this.going.resume(effect.by);
      case "abandon":
        return this.going.abandon(effect.to);
      case "ask-own":
        return this.#then(this.#peers.own(effect.to), (by) => ({
          t: "hand-over-answered",
          to: effect.to,
          ...(by === undefined ? {} : { by }),
        }));
      case "hand-over-ended":
        for (const resolve of this.#handedOver.splice(0)) resolve(effect.isDone);
        return;
      case "forget":
        return this.#forgetSoon();
    }
  }

  /** What is asked never rejects: who does not answer has answered nothing. */
  #then<A>(asked: Promise<A>, event: (answer: A) => OwnershipEvent): void {
    void asked.then((answer) => this.accept(event(answer)));
  }

  #forgetSoon(): void {
    const forget = async (): Promise<void> => {
      await this.copy.idle();
      if (this.state.isOver) this.#deps.forget(this);
    };
    this.#deps.clock.after(FORGET_AFTER_MS, () => void forget(), { unref: true });
  }

  /** Keepers that are sent the same at the same time share a page, which is then read and encoded once. */
  #sharedPage(from: number): Promise<JournalPage> {
    const { length } = this.copy.view;
    const shared = this.#sending;
    if (shared?.from === from && shared.length === length) return shared.page;
    const page = this.answerPage(undefined, from);
    const sending = { from, length, page };
    this.#sending = sending;
    const isOver = (): void => {
      if (this.#sending === sending) this.#sending = undefined;
    };
    // Who shares it asked in the same turn; kept for longer it would only take memory.
    page.then(isOver, isOver);
    return page;
  }

  async #sendAppend(to: PeerId, from: number): Promise<void> {
    try {
      const page = await this.#sharedPage(from);
      const { length } = await this.#peers.append(to, page);
      this.accept({ t: "append-answered", to, length: Math.min(length, this.copy.view.length) });
    } catch (error) {
      const by = isMfError(error, "PEER_FENCED") ? fencedBy(error) : undefined;
      if (by !== undefined) this.accept({ t: "owner-told", by });
      this.#peers.failed("append", to, error);
      this.accept({ t: "append-failed", to });
    }
  }

  /** One after another: a second one brings what the first could not know of. */
  #pull(from: PeerId): void {
    const pulled = this.#pulling.then(() => this.#pullAll(from));
    this.#pulling = pulled
      .catch((error: unknown) => {
        this.#peers.failed("pull", from, error);
        return false;
      })
      .then((isDone) => this.accept({ t: "pulled", isDone }));
  }

  async #pullAll(from: PeerId): Promise<boolean> {
    for (let before = -1; ;) {
      if (this.isOwning || this.#isClosed) return false;
      const { view } = this.copy;
      const page = await this.#peers.pull(from, view);
      // What they have is not what ours must give way to: they follow us, not we them.
      if (page === undefined || !isAhead(page.view, view)) return page !== undefined;
      const length = await this.#take(page);
      if (length >= page.view.length) return true;
      if (length <= before) return false;
      before = length;
    }
  }

  async #tell(to: PeerId): Promise<void> {
    const { owner, keepers } = this.state;
    const answer = await this.#peers.tell(to, { run: this.run, by: owner, keepers: [...keepers] });
    if (answer?.by !== undefined) this.accept({ t: "owner-told", by: answer.by });
    this.accept({ t: "tell-answered", to, isTold: answer !== undefined });
  }

  async #writeOwner(by: RunOwner, keepers: readonly PeerId[]): Promise<void> {
    let isDone = false;
    try {
      const at = this.#deps.clock.now();
      const summary = await this.#latestSummary();
      isDone = await this.copy.write((view) => {
        // Nothing follows an end, and nobody writes under a ballot that was passed (O2, O4).
        if (view.hasEnded || compareOwners(this.owner, by) !== 0) return undefined;
        this.#summary = summary === undefined ? undefined : { ...summary, owner: by };
        return {
          entries: [{ t: "owner-changed", at, owner: by, keepers }],
          ...(this.#summary === undefined ? {} : { summary: this.#summary }),
        };
      });
    } catch (error) {
      this.#peers.failed("write", by.peer, error);
    }
    this.grew();
    this.accept({ t: "owner-written", by, isDone });
  }

  #announce(to: PeerId | undefined): void {
    const notice = { run: this.run, by: this.owner, keepers: [...this.state.keepers] };
    const peers = to === undefined ? this.#deps.everybody() : [to];
    for (const peer of peers) this.#deps.transport.send(peer, RUN_OWNER, notice);
  }
}
