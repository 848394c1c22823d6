/**
 * WorkSharing across the mesh: runs of this peer share among themselves without a message; where another peer has runs with the same
 * step code, each key is claimed at the code's desk first. Every wait has an end, after which the task is looked up and claimed again.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import {
  HeldKeys,
  type RunShare,
  type TaskKey,
  type WorkSharing,
} from "../../src/engine/work-sharing.ts";
import type { CodeId, MemoKey } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { othersAlive, type PeerDirectory, type PeerEvent } from "../../src/wire/peer-directory.ts";
import { FACTS, KNOWN } from "../../src/wire/sharing-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { CodeKeysMap, messagesOf } from "./code-keys.ts";
import { byDesk, CodeUses, heldOf, type CodeUse } from "./code-uses.ts";
import { DeskLines } from "./desk-lines.ts";
import type { CodeKeys, OverNotice } from "./desk-machine.ts";
import { Desk } from "./desk-service.ts";
import { FactAnswers } from "./fact-answers.ts";
import { FactFinder } from "./fact-finder.ts";
import type { KnownFacts } from "./known-facts.ts";
import { Patience } from "./patience.ts";
import { PeerQuestions } from "./peer-questions.ts";
import { HINTS_MAX, RENEW_MS, WAIT_MS_MAX } from "./sharing-limits.ts";

export interface MeshSharingDeps {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  /** This daemon's own. */
  readonly store: Pick<Store, "commit" | "getResults" | "locate">;
  readonly known: KnownFacts;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A task that is run elsewhere, as a desk said. */
interface Away {
  readonly desk: PeerId;
  readonly until: number;
}

export class MeshSharing implements WorkSharing {
  readonly #deps: MeshSharingDeps;
  readonly #questions: PeerQuestions;
  readonly #finder: FactFinder;
  readonly #desk: Desk;
  readonly #lines: DeskLines;
  readonly #uses: CodeUses;
  readonly #held = new HeldKeys();
  readonly #away = new Map<MemoKey, Away>();
  readonly #patience: Patience;
  /** Asked of a desk now, with what it told in the meantime: a notice may overtake the answer. */
  readonly #asked = new Map<MemoKey, Omit<OverNotice, "to" | "keys"> | undefined>();
  /** Who has just made what was waited for. */
  readonly #hints = new Map<MemoKey, PeerId>();
  /** Known to be gone before membership has its verdict. */
  readonly #gone = new Set<PeerId>();
  readonly #unsubscribe: () => void;
  #settled = new Map<PeerId, { readonly done: CodeKeysMap; readonly dropped: CodeKeysMap }>();
  #cancelTick: (() => void) | undefined;
  #isClosed = false;

  /** Serves others from now on. */
  constructor(deps: MeshSharingDeps) {
    this.#deps = deps;
    const { transport, directory, known, store, clock } = deps;
    this.#questions = new PeerQuestions(deps);
    this.#finder = new FactFinder({ ...deps, questions: this.#questions });
    this.#patience = new Patience(clock);
    this.#uses = new CodeUses(directory.self);
    this.#lines = new DeskLines(
      { transport, questions: this.#questions, desk: () => this.#atDesk() },
      {
        handIn: (codes) => this.#handIn(codes),
        over: (from, notice) => this.#over(from, notice),
      },
    );
    this.#desk = new Desk({
      clock,
      askHandIn: (user, codes) => this.#lines.askHandIn(user, codes),
      tellOver: (notice) => this.#lines.tellOver(notice),
    });
    const answers = new FactAnswers(known, store);
    transport.handle(KNOWN, async (_, { codes }) => answers.known(codes));
    transport.handle(FACTS, (_, { refs }) => answers.facts(directory.self, refs));
    this.#lines.serve();
    this.#unsubscribe = directory.subscribe((event) => this.#heard(event));
  }

  /** What is held for others and waited for here: nothing, once no run goes on. */
  get size(): { readonly uses: number; readonly held: number; readonly away: number } {
    return { uses: this.#uses.size, held: this.#held.size, away: this.#away.size };
  }

  get stats(): FactFinder["stats"] {
    return this.#finder.stats;
  }

  enter(codes: readonly CodeId[]): RunShare {
    const fresh = this.#uses.enter(codes, this.#alive());
    const told = this.#tellDesks(fresh);
    for (const use of fresh) use.entered = told;
    this.#tickLater();
    const entered = codes.map((code) => this.#uses.get(code)?.entered);
    const ready = Promise.all([...entered, this.#finder.learn(codes)]).then(() => undefined);
    return new MeshShare(this, codes, ready);
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancelTick?.();
    this.#questions.close();
    for (const key of this.#away.keys()) this.#held.release(key);
    this.#away.clear();
  }

  /** For shares: one answer a key. */
  async claim(
    share: MeshShare,
    tasks: readonly TaskKey[],
  ): Promise<readonly (Promise<void> | undefined)[]> {
    const answers = tasks.map(({ code, memoKey }) => {
      const over = this.#held.take(memoKey, share);
      if (over !== undefined) return over;
      share.claimed.set(memoKey, code);
      this.#uses.get(code)?.keys.add(memoKey);
      return undefined;
    });
    const asked = new Map<PeerId, CodeKeysMap>();
    for (const [position, { code, memoKey }] of tasks.entries()) {
      const use = this.#uses.get(code);
      // Made by somebody a moment ago: it is only to be fetched.
      if (answers[position] !== undefined || use?.isShared !== true || this.#hints.has(memoKey))
        continue;
      if (this.#patience.isOver(memoKey)) continue;
      let keys = asked.get(use.desk);
      if (keys === undefined) asked.set(use.desk, (keys = new CodeKeysMap()));
      keys.add(code, memoKey);
    }
    if (asked.size === 0) return answers;
    const theirs = await Promise.all(
      [...asked].map(([desk, keys]) => this.#claimAt(desk, keys.all(), share)),
    );
    const waits = new Map(theirs.flatMap((all) => [...all]));
    return tasks.map(({ memoKey }, position) => answers[position] ?? waits.get(memoKey));
  }

  settle(keys: ReadonlyMap<MemoKey, CodeId>, isDone: boolean): void {
    for (const [key, code] of keys) {
      const use = this.#uses.get(code);
      use?.keys.delete(key);
      this.#hints.delete(key);
      this.#patience.forget(key);
      if (use?.isShared === true) this.#tellSettledSoon(use, key, isDone);
      this.#held.release(key);
    }
  }

  find(tasks: readonly TaskKey[]): Promise<boolean> {
    return this.#finder.find(
      tasks.map((task) => ({
        task,
        hint: this.#hints.get(task.memoKey),
        users: this.#uses.get(task.code)?.users ?? NOBODY,
      })),
    );
  }

  leave(codes: readonly CodeId[]): void {
    // First what is over, so that the desk does not take it for dropped.
    this.#tellSettled();
    const left = this.#uses.leave(codes);
    this.#finder.forget(left.map(({ code }) => code));
    if (this.#isClosed) return;
    for (const [desk, uses] of byDesk(left))
      this.#lines.leave(
        desk,
        uses.map(({ code }) => code),
      );
  }

  async #claimAt(
    desk: PeerId,
    wanted: readonly CodeKeys[],
    share: MeshShare,
  ): Promise<Map<MemoKey, Promise<void>>> {
    const waits = new Map<MemoKey, Promise<void>>();
    for (const message of messagesOf(wanted)) {
      for (const { keys } of message.held) for (const key of keys) this.#asked.set(key, undefined);
      const answer = await this.#lines.claim(desk, message);
      // Nobody answers: everybody goes alone.
      for (const { at, users } of answer?.others ?? [])
        this.#uses.noteUsers(message.codes[at], users);
      const theirs = new Set(answer?.theirs);
      for (const { at, keys } of message.held) {
        const code = message.codes[at];
        if (code === undefined) continue;
        for (const key of keys)
          if (theirs.has(key)) this.#giveAway(key, { code, desk, share, waits });
          // The run ended while this was asked.
          else if (!share.claimed.has(key))
            this.#lines.settled(desk, [{ code, keys: [key] }], false);
      }
    }
    return waits;
  }

  #giveAway(
    key: MemoKey,
    {
      code,
      desk,
      share,
      waits,
    }: {
      readonly code: CodeId;
      readonly desk: PeerId;
      readonly share: MeshShare;
      readonly waits: Map<MemoKey, Promise<void>>;
    },
  ): void {
    const told = this.#asked.get(key);
    if (!share.claimed.delete(key)) return;
    this.#uses.get(code)?.keys.delete(key);
    waits.set(key, this.#held.giveAway(key));
    if (told?.isDone === true) this.#hint(key, told.by);
    // Told already, or the desk has moved on since it was asked and nobody will tell.
    if (told !== undefined || this.#uses.get(code)?.desk !== desk) return this.#held.release(key);
    this.#patience.waits(key);
    this.#away.set(key, { desk, until: this.#deps.clock.monotonic() + WAIT_MS_MAX });
  }

  /** Says what goes on here, and learns who else is there. */
  async #tellDesks(uses: readonly CodeUse[]): Promise<void> {
    await Promise.all([...byDesk(uses)].map(([desk, list]) => this.#tellDesk(desk, list)));
  }

  async #tellDesk(desk: PeerId, uses: readonly CodeUse[]): Promise<void> {
    const late: CodeUse[] = [];
    for (const message of messagesOf(uses.map(heldOf))) {
      const answer = await this.#lines.use(desk, message);
      for (const { at, users, isShared } of answer?.others ?? []) {
        const code = message.codes[at];
        const use = code === undefined ? undefined : this.#uses.get(code);
        if (use === undefined || use.desk !== desk) continue;
        this.#uses.noteUsers(code, users);
        if (!isShared || use.isShared) continue;
        use.isShared = true;
        if (use.keys.size > 0) late.push(use);
      }
    }
    // What ran here before others were known of has not been said yet.
    if (late.length > 0) await this.#tellDesk(desk, late);
  }

  #handIn(codes: readonly CodeId[]): CodeKeys[] {
    return codes.flatMap((code) => {
      const use = this.#uses.get(code);
      if (use === undefined) return [];
      use.isShared = true;
      return [heldOf(use)];
    });
  }

  #over(from: PeerId, { keys, by, isDone }: Omit<OverNotice, "to">): void {
    for (const key of keys) {
      if (this.#asked.has(key)) this.#asked.set(key, { by, isDone });
      if (this.#away.get(key)?.desk !== from) continue;
      if (isDone) this.#hint(key, by);
      this.#comeBack(key);
    }
  }

  #hint(key: MemoKey, by: PeerId): void {
    if (this.#hints.size < HINTS_MAX) this.#hints.set(key, by);
  }

  #tellSettledSoon({ desk, code }: CodeUse, key: MemoKey, isDone: boolean): void {
    if (this.#settled.size === 0) queueMicrotask(() => this.#tellSettled());
    let settled = this.#settled.get(desk);
    if (settled === undefined)
      this.#settled.set(desk, (settled = { done: new CodeKeysMap(), dropped: new CodeKeysMap() }));
    (isDone ? settled.done : settled.dropped).add(code, key);
  }

  #tellSettled(): void {
    const settled = this.#settled;
    this.#settled = new Map();
    if (this.#isClosed) return;
    for (const [desk, { done, dropped }] of settled) {
      this.#lines.settled(desk, done.all(), true);
      this.#lines.settled(desk, dropped.all(), false);
    }
  }

  /** What a desk keeps is forgotten in time, so time has to pass here too. */
  #atDesk(): Desk {
    this.#tickLater();
    return this.#desk;
  }

  #tickLater(): void {
    if (this.#cancelTick !== undefined || this.#isClosed) return;
    this.#cancelTick = this.#deps.clock.after(RENEW_MS, () => this.#tick(), { unref: true });
  }

  #tick(): void {
    this.#cancelTick = undefined;
    const now = this.#deps.clock.monotonic();
    void this.#tellDesks(this.#uses.all());
    this.#desk.expire();
    for (const [key, { until }] of this.#away) if (until <= now) this.#comeBack(key);
    if (this.#uses.size > 0 || this.#desk.size.codes > 0) this.#tickLater();
    else this.#hints.clear();
    if (this.#uses.size === 0) this.#patience.clear();
  }

  #comeBack(key: MemoKey): void {
    this.#away.delete(key);
    this.#held.release(key);
  }

  #heard(event: PeerEvent): void {
    const peer = event.t === "changed" ? event.peer.id : event.peer;
    if (event.t === "changed" && event.was === event.peer.state) return;
    if (event.t === "gone") this.#gone.add(peer);
    else this.#gone.delete(peer);
    const isGone =
      event.t !== "changed" || event.peer.state === "dead" || event.peer.state === "left";
    if (isGone || event.peer.state !== "alive") this.#questions.lost(peer);
    if (isGone) this.#desk.gone(peer);
    const moved = this.#uses.choose(this.#alive());
    // The same desk in a new process knows nothing of before.
    const lost =
      event.t === "restarted" ? this.#uses.all().filter(({ desk }) => desk === peer) : [];
    const told = [...moved.map(({ use }) => use), ...lost];
    if (told.length === 0) return;
    for (const [key, { desk }] of this.#away)
      if (desk === peer || moved.some(({ was }) => was === desk)) this.#comeBack(key);
    void this.#tellDesks(told);
  }

  #alive(): PeerId[] {
    const { directory } = this.#deps;
    const others = othersAlive(directory).map(({ id }) => id);
    return [directory.self, ...others.filter((peer) => !this.#gone.has(peer))];
  }
}

const NOBODY: ReadonlySet<PeerId> = new Set();

class MeshShare implements RunShare {
  readonly ready: Promise<void>;
  /** This run's to do, and not over. */
  readonly claimed = new Map<MemoKey, CodeId>();
  readonly #sharing: MeshSharing;
  readonly #codes: readonly CodeId[];
  #hasLeft = false;

  constructor(sharing: MeshSharing, codes: readonly CodeId[], ready: Promise<void>) {
    this.#sharing = sharing;
    this.#codes = codes;
    this.ready = ready;
  }

  async claim(tasks: readonly TaskKey[]): Promise<readonly (Promise<void> | undefined)[]> {
    return this.#hasLeft ? tasks.map(() => undefined) : this.#sharing.claim(this, tasks);
  }

  settle(keys: readonly MemoKey[], isDone: boolean): void {
    const own = new Map<MemoKey, CodeId>();
    for (const key of keys) {
      const code = this.claimed.get(key);
      if (code === undefined) continue;
      this.claimed.delete(key);
      own.set(key, code);
    }
    if (own.size > 0) this.#sharing.settle(own, isDone);
  }

  find(tasks: readonly TaskKey[]): Promise<boolean> {
    return this.#sharing.find(tasks);
  }

  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.settle([...this.claimed.keys()], false);
    this.#sharing.leave(this.#codes);
  }
}
