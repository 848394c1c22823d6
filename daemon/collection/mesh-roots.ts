/**
 * The roots of a collection in a mesh: the runs of every peer, their journals and facts wherever they are. Whoever does not answer
 * makes it incomplete: then only what removed runs name may go.
 */
import type { RemovedRun, RootRun, Roots } from "../../src/client/collection/roots.ts";
import { parseRunText, removedRuns } from "../../src/client/collection/roots.ts";
import { GONE_JOURNAL_DAYS } from "../../src/client/collection/collect.ts";
import { hasEnded } from "../../src/client/run-result.ts";
import { resultIdOf } from "../../src/artifact/result-id.ts";
import type { Fact, FactRef } from "../../src/model/fact.ts";
import { runText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry, RunSummary } from "../../src/model/journal.ts";
import { isLater, markKey, type Mark } from "../../src/model/mark.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { askJournal, askRuns, PAGE_ROWS_MAX } from "../../src/wire/catalog-protocol.ts";
import {
  askFiles,
  askGone,
  askNamedFacts,
  FACT_REFS_MAX,
  FILE_VALUES_MAX,
} from "../../src/wire/collection-protocol.ts";
import { ASK_FILES_MS_MAX } from "./collection-limits.ts";
import type { MeshAsker } from "./mesh-asker.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Whoever keeps this peer's marks: what went past it into the store, it could not take back. */
export interface TakesMarks {
  /** Those that are news, unless their time lies too far ahead. How many there were. */
  take(from: PeerId, marks: readonly Mark[]): Promise<number>;
}

export interface MeshRootsDeps {
  /** This peer's own: nothing is brought. */
  readonly store: Store;
  readonly marks: TakesMarks;
  readonly asker: MeshAsker;
  readonly now: number;
  /** What is stored here was asked for by others long enough ago to be told from what is not needed. */
  readonly isSettled: boolean;
  readonly alsoRemoved: ReadonlySet<string>;
}

/** Learns of removals that other peers know. */
export async function learnRemovals(
  store: Pick<Store, "marks">,
  keeper: TakesMarks,
  asker: MeshAsker,
): Promise<void> {
  const lists = await Promise.all(
    asker.others.map(async (peer) => {
      const list = await asker.list(peer, async (from) => {
        const page = await asker.one(peer, askGone, { from });
        return page === undefined ? undefined : { rows: page.marks, next: page.next };
      });
      return { peer, marks: list ?? [] };
    }),
  );
  const known = new Map((await store.marks()).map((mark) => [markKey(mark), mark]));
  for (const { peer, marks } of lists) {
    const news = marks.filter((mark) => {
      const before = known.get(markKey(mark));
      return mark.kind === "gone" && (before === undefined || isLater(mark, before));
    });
    if (news.length > 0) await keeper.take(peer, news);
  }
}

export async function meshRoots(deps: MeshRootsDeps): Promise<Roots> {
  const { store, asker, alsoRemoved } = deps;
  await learnRemovals(store, deps.marks, asker);
  const marks = await store.marks();
  const told = await toldRuns(deps);
  const gone = new Set(removedRuns(marks).map(({ run }) => runText(run)));
  const kept: RootRun[] = [];
  const removed = new Map<string, RemovedRun>();
  for (const item of removedRuns(marks)) removed.set(runText(item.run), item);
  for (const [text, { run, ...told_ }] of told) {
    // A run that goes on is not removed, whatever a mark says.
    const isRemoved = told_.hasEnded && (gone.has(text) || alsoRemoved.has(text));
    if (!isRemoved) {
      removed.delete(text);
      kept.push({ run, hasEnded: told_.hasEnded, createdAt: told_.createdAt });
    } else if (!removed.has(text)) removed.set(text, { run });
  }
  return {
    kept,
    removed: [...removed.values()],
    marks,
    journal: (run) => journalOf(deps, run, { told: told.get(runText(run)), marks }),
    factsElsewhere: (refs) => factsElsewhere(asker, refs),
    filesElsewhere: (ids) => filesElsewhere(asker, ids),
    isComplete: () => deps.isSettled && asker.missing.length === 0,
  };
}

interface ToldRun extends RootRun {
  readonly peers: PeerId[];
  readonly hasEndedHere: boolean;
}

/** Every run that somebody has, and who does. */
async function toldRuns({ store, asker }: MeshRootsDeps): Promise<Map<string, ToldRun>> {
  const told = new Map<string, ToldRun>();
  const add = ({ run, createdAt, ...rest }: RunSummary, peer: PeerId | undefined): void => {
    const ended = hasEnded(rest);
    const before = told.get(runText(run));
    told.set(runText(run), {
      run,
      createdAt: Math.min(createdAt, before?.createdAt ?? createdAt),
      hasEnded: ended || before?.hasEnded === true,
      peers: [...(before?.peers ?? []), ...(peer === undefined ? [] : [peer])],
      hasEndedHere: before?.hasEndedHere ?? (peer === undefined && ended),
    });
  };
  for (const summary of await store.runs()) add(summary, undefined);
  const lists = await Promise.all(
    asker.others.map(async (peer) => ({
      peer,
      rows: await asker.list(peer, (from) =>
        asker.one(peer, askRuns, { from, limit: PAGE_ROWS_MAX }),
      ),
    })),
  );
  for (const { peer, rows = [] } of lists) for (const summary of rows) add(summary, peer);
  return told;
}

interface KnownOfRun {
  readonly told: ToldRun | undefined;
  readonly marks: readonly Mark[];
}

/** Of a run that ended here, this store's; of one that ended elsewhere, the first that comes whole; else all that anybody has. */
async function journalOf(
  { store, asker, now }: MeshRootsDeps,
  run: RunRef,
  { told, marks }: KnownOfRun,
): Promise<readonly JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for await (const entry of store.journal(run)) entries.push(entry);
  if (told === undefined) {
    if (entries.at(-1)?.t !== "run-finished")
      entries.push(...(await removedElsewhere({ asker, now }, run, marks)));
    return entries;
  }
  if (told.hasEndedHere) return entries;
  for (const peer of told.peers) {
    const theirs = await journalAt(asker, peer, run);
    for (const entry of theirs ?? []) entries.push(entry);
    if (told.hasEnded && theirs?.at(-1)?.t === "run-finished") return entries;
  }
  return entries;
}

/** Nobody lists a run that was removed: whoever still has its journal tells, as long as journals of such runs are kept. */
async function removedElsewhere(
  { asker, now }: Pick<MeshRootsDeps, "asker" | "now">,
  run: RunRef,
  marks: readonly Mark[],
): Promise<readonly JournalEntry[]> {
  const mark = marks.find(({ kind, on }) => kind === "gone" && on === runText(run));
  if (mark === undefined || now - mark.at > GONE_JOURNAL_DAYS * DAY_MS) return [];
  for (const peer of asker.others) {
    const entries = await journalAt(asker, peer, run);
    if (entries !== undefined && entries.length > 0) return entries;
  }
  return [];
}

function journalAt(
  asker: MeshAsker,
  peer: PeerId,
  run: RunRef,
): Promise<JournalEntry[] | undefined> {
  return asker.list(peer, (from) => asker.one(peer, askJournal, { run, from }));
}

/** A page may be cut by its bytes: what did not come is asked for again until nothing more does. */
async function factsElsewhere(
  asker: MeshAsker,
  refs: readonly FactRef[],
): Promise<readonly Fact[]> {
  const found: Fact[] = [];
  for (let at = 0; at < refs.length; at += FACT_REFS_MAX) {
    let wanted: readonly FactRef[] = refs.slice(at, at + FACT_REFS_MAX);
    for (;;) {
      const asked = wanted;
      const answers = await Promise.all(
        asker.others.map((peer) => asker.one(peer, askNamedFacts, { refs: [...asked] })),
      );
      const facts = answers.flatMap((answer) => answer?.facts ?? []);
      found.push(...facts);
      wanted = asked.filter((ref) => !facts.some((fact) => isMeant(fact, ref)));
      if (wanted.length === 0 || wanted.length === asked.length) break;
    }
  }
  return found;
}

function isMeant(fact: Fact, { memoKey, result }: FactRef): boolean {
  return fact.memoKey === memoKey && (result === undefined || result === resultIdOf(fact));
}

async function filesElsewhere(
  asker: MeshAsker,
  ids: readonly Cid[],
): Promise<ReadonlyMap<Cid, readonly Cid[]>> {
  const found = new Map<Cid, readonly Cid[]>();
  for (let at = 0; at < ids.length; at += FILE_VALUES_MAX) {
    const query = { ids: ids.slice(at, at + FILE_VALUES_MAX) };
    const answers = await Promise.all(
      asker.others.map((peer) => asker.one(peer, askFiles, query, ASK_FILES_MS_MAX)),
    );
    for (const answer of answers)
      for (const { id, files } of answer?.found ?? [])
        found.set(id, [...(found.get(id) ?? []), ...files]);
  }
  return found;
}

/** Only texts that name a run. */
export function runTexts(texts: readonly string[]): Set<string> {
  return new Set(texts.filter((text) => parseRunText(text) !== undefined));
}
