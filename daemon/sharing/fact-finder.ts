/**
 * Facts that other peers have: asks at a run's beginning who has facts of its codes (and of which keys, in four bytes each), then asks
 * those, and only those, for what a task needs. What comes is checked and becomes durable here.
 */
import { cidOf, parseCid } from "../../src/artifact/cid.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { TaskKey } from "../../src/engine/work-sharing.ts";
import { contentsNamedBy, type Fact, type FactRef } from "../../src/model/fact.ts";
import type { Cid, CodeId, MemoKey } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { isOnPage, readPage, type FactPage } from "../../src/trust/fact-page.ts";
import type { InlineContent, Store } from "../../src/store/ports.ts";
import { othersAlive, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import { CODES_MAX, FACTS, KNOWN, REFS_MAX } from "../../src/wire/sharing-protocol.ts";
import type { PeerQuestions } from "./peer-questions.ts";
import { PrintSet } from "./known-facts.ts";
import { FIND_MS_MAX, FIND_PEERS_MAX, KNOWN_FRESH_MS, KNOWN_MS_MAX } from "./sharing-limits.ts";

export interface FactFinderDeps {
  readonly questions: PeerQuestions;
  readonly directory: PeerDirectory;
  readonly store: Pick<Store, "commit">;
  readonly clock: Clock;
}

/** A task, and who may have made its fact since the run began. */
export interface Wanted {
  readonly task: TaskKey;
  /** Said that it has. */
  readonly hint: PeerId | undefined;
  readonly users: ReadonlySet<PeerId>;
}

interface KnownOf {
  at: number;
  readonly peers: Map<PeerId, PrintSet | "many">;
}

/** Parts of one answer that is cut, before the rest is given up. */
const PARTS_MAX = 16;

export class FactFinder {
  readonly stats = { asked: 0, found: 0 };
  readonly #deps: FactFinderDeps;
  readonly #known = new Map<CodeId, KnownOf>();
  readonly #learning = new Map<CodeId, Promise<void>>();
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(deps: FactFinderDeps) {
    this.#deps = deps;
  }

  /** Resolves when every alive peer has said what it has of these codes, or its time is over. */
  async learn(codes: readonly CodeId[]): Promise<void> {
    const now = this.#deps.clock.monotonic();
    const unknown = codes.filter((code) => {
      const known = this.#known.get(code);
      return !this.#learning.has(code) && (known === undefined || now - known.at > KNOWN_FRESH_MS);
    });
    if (unknown.length > 0) {
      const learnt = this.#learn(unknown, now).finally(() => {
        for (const code of unknown) this.#learning.delete(code);
      });
      for (const code of unknown) this.#learning.set(code, learnt);
    }
    await Promise.all(new Set(codes.flatMap((code) => this.#learning.get(code) ?? [])));
  }

  forget(codes: readonly CodeId[]): void {
    for (const code of codes) this.#known.delete(code);
  }

  /** False where nothing came. Questions for one fact share an answer. */
  async find(wanted: readonly Wanted[]): Promise<boolean> {
    const fresh: Wanted[] = [];
    const answers = new Set<Promise<boolean>>();
    for (const one of wanted) {
      const asked = this.#asking.get(nameOf(one.task));
      if (asked === undefined) fresh.push(one);
      else answers.add(asked);
    }
    const asked = this.#ask(fresh);
    if (asked !== undefined) answers.add(asked);
    return (await Promise.all(answers)).includes(true);
  }

  async #learn(codes: readonly CodeId[], at: number): Promise<void> {
    const known = new Map<CodeId, KnownOf>();
    for (const code of codes) known.set(code, { at, peers: new Map() });
    const learnOf = async (peer: PeerId): Promise<void> => {
      for (let from = 0; from < codes.length; from += CODES_MAX) {
        const some = codes.slice(from, from + CODES_MAX);
        const answer = await this.#deps.questions.ask(peer, KNOWN, { codes: some }, KNOWN_MS_MAX);
        if (answer === undefined) return;
        for (const { at: position, prints } of answer.known) {
          const code = some[position];
          if (code === undefined) continue;
          known.get(code)?.peers.set(peer, prints === undefined ? "many" : new PrintSet(prints));
        }
      }
    };
    await Promise.all(othersAlive(this.#deps.directory).map(({ id }) => learnOf(id)));
    for (const [code, of] of known) this.#known.set(code, of);
  }

  /** Undefined where nobody is to be asked: that costs nothing. */
  #ask(wanted: readonly Wanted[]): Promise<boolean> | undefined {
    const refs = new Map<PeerId, FactRef[]>();
    const codes = new Map<MemoKey, CodeId>();
    const names: string[] = [];
    for (const one of wanted) {
      const peers = this.#peersFor(one);
      if (peers.length === 0) continue;
      const { code, ...ref } = one.task;
      codes.set(ref.memoKey, code);
      names.push(nameOf(one.task));
      for (const peer of peers) {
        const list = refs.get(peer);
        if (list === undefined) refs.set(peer, [ref]);
        else list.push(ref);
      }
    }
    if (names.length === 0) return undefined;
    this.stats.asked += names.length;
    const asked = this.#bring(refs, codes).finally(() => {
      for (const name of names) this.#asking.delete(name);
    });
    for (const name of names) this.#asking.set(name, asked);
    return asked;
  }

  #peersFor({ task, hint, users }: Wanted): PeerId[] {
    const { directory, questions } = this.#deps;
    const isAsked = (peer: PeerId): boolean =>
      peer !== directory.self && directory.get(peer)?.state === "alive" && !questions.isSlow(peer);
    if (hint !== undefined && isAsked(hint)) return [hint];
    const peers = new Set([...users].filter(isAsked));
    let room = FIND_PEERS_MAX;
    for (const [peer, prints] of this.#known.get(task.code)?.peers ?? []) {
      if (room === 0) break;
      if (peers.has(peer) || !isAsked(peer)) continue;
      if (prints !== "many" && !prints.has(task.memoKey)) continue;
      peers.add(peer);
      room--;
    }
    return [...peers];
  }

  async #bring(
    refs: ReadonlyMap<PeerId, readonly FactRef[]>,
    codes: ReadonlyMap<MemoKey, CodeId>,
  ): Promise<boolean> {
    const answers = await Promise.all([...refs].map(([peer, list]) => this.#factsOf(peer, list)));
    const facts = new Map<string, Fact>();
    const inline = new Map<string, InlineContent>();
    for (const answer of answers) {
      const pages = new PageCheck(answer.inline);
      for (const fact of answer.facts) {
        // Of a task that was asked for, made by its code (the key says the rest), and somebody vouches for what it came to.
        if (codes.get(fact.memoKey) !== fact.code || !pages.vouchFor(fact)) continue;
        const known = facts.get(fact.memoKey);
        if (known === undefined || known.at < fact.at) facts.set(fact.memoKey, fact);
      }
      for (const content of answer.inline) inline.set(content.id, content);
    }
    if (facts.size === 0) return false;
    const contents: InlineContent[] = [];
    for (const fact of facts.values())
      for (const id of contentsNamedBy(fact)) {
        const content = inline.get(id);
        inline.delete(id);
        if (content !== undefined && isContentOf(id, content.data)) contents.push(content);
      }
    await this.#deps.store.commit({ facts: [...facts.values()], inline: contents });
    this.stats.found += facts.size;
    return true;
  }

  async #factsOf(
    peer: PeerId,
    refs: readonly FactRef[],
  ): Promise<{ facts: Fact[]; inline: InlineContent[] }> {
    const all = { facts: [] as Fact[], inline: [] as InlineContent[] };
    for (let at = 0; at < refs.length; at += REFS_MAX) {
      let rest = refs.slice(at, at + REFS_MAX);
      for (let part = 0; part < PARTS_MAX && rest.length > 0; part++) {
        const answer = await this.#deps.questions.ask(peer, FACTS, { refs: rest }, FIND_MS_MAX);
        if (answer === undefined) return all;
        all.facts.push(...answer.facts);
        all.inline.push(...answer.inline);
        if (!answer.isCut || answer.facts.length === 0) break;
        const came = new Set(answer.facts.map(({ memoKey }) => memoKey));
        rest = rest.filter(({ memoKey }) => !came.has(memoKey));
      }
    }
    return all;
  }
}

/** The pages of one answer, each looked at once. */
class PageCheck {
  readonly #inline: ReadonlyMap<Cid, Uint8Array>;
  readonly #pages = new Map<Cid, FactPage | undefined>();

  constructor(inline: readonly InlineContent[]) {
    this.#inline = new Map(inline.map(({ id, data }) => [id, data]));
  }

  /** A fact that nobody signed is taken from no other peer. */
  vouchFor(fact: Fact): boolean {
    if (fact.page === undefined) return false;
    const page = this.#pageOf(fact.page);
    return page !== undefined && isOnPage(page, fact);
  }

  #pageOf(id: Cid): FactPage | undefined {
    if (this.#pages.has(id)) return this.#pages.get(id);
    const data = this.#inline.get(id);
    const page = data !== undefined && isContentOf(id, data) ? readPage(data) : undefined;
    this.#pages.set(id, page);
    return page;
  }
}

function isContentOf(id: Cid, data: Uint8Array): boolean {
  try {
    return cidOf(parseCid(id).codec, data) === id;
  } catch {
    return false;
  }
}

function nameOf({ memoKey, result }: TaskKey): string {
  return result === undefined ? memoKey : `${memoKey}.${result}`;
}
