/**
 * Versions of the whole mesh. Runs are told by many peers, so each is asked of one that has its journal: then every run counts once,
 * and any two peers that reach the same others say the same. What that peer lacks of facts is asked of everybody.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { VersionList, VersionSource } from "../../src/client/versions/list-versions.ts";
import { gatherVersions, versionRows } from "../../src/client/versions/list-versions.ts";
import {
  seenParts,
  versionsOfRun,
  WantedNames,
  type LackedTask,
  type RunVersionsQuery,
} from "../../src/client/versions/run-versions.ts";
import { VersionFold, type VersionPart } from "../../src/client/versions/version-fold.ts";
import type { VersionsQuery } from "../../src/client/versions/version-query.ts";
import { runText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { RunSummary } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import {
  askVersions,
  isWholeCid,
  PAGE_BYTES_MAX,
  VERSION_RUNS_MAX,
} from "../../src/wire/catalog-protocol.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import type { RequestType } from "../../src/wire/transport.ts";
import {
  ASK_LIST_MS_MAX,
  HOLDERS_BATCH,
  HOLDERS_MAX,
  VERSION_PAGES_MAX,
} from "./catalog-limits.ts";
import { factsInMesh } from "./mesh-records.ts";
import type { PeerAsker } from "./peer-asker.ts";
import type { HeldRun, RunFinder } from "./run-finder.ts";

type Question = typeof askVersions extends RequestType<infer Q, infer _A> ? Q : never;
type Answer = typeof askVersions extends RequestType<infer _Q, infer A> ? A : never;

export interface MeshVersionsDeps {
  readonly asker: PeerAsker;
  readonly finder: RunFinder;
  readonly exchange: Pick<ContentExchange, "holders">;
  readonly store: Pick<Store, "marks" | "journal" | "getResults" | "getRun">;
}

/** @throws MfError PATHSPEC_INVALID */
export async function versionsInMesh(
  deps: MeshVersionsDeps,
  query: VersionsQuery,
): Promise<VersionList> {
  const held = new Map<string, HeldRun>();
  const source: VersionSource = {
    async runs(flow) {
      const runs = await deps.finder.held(flow);
      for (const run of runs) held.set(runText(run.summary.run), run);
      return runs.map(({ summary }) => summary);
    },
    marks: () => deps.store.marks(),
    partsOf: (runs, asked) => partsInMesh(deps, { runs, held, asked }),
  };
  const { rows, more } = await gatherVersions(source, query);
  const holders = await holdersOf(deps, rows);
  return { rows: await versionRows(rows, (row) => holders.get(row.id) ?? [row.by]), more };
}

interface PartsRequest {
  readonly runs: readonly RunSummary[];
  readonly held: ReadonlyMap<string, HeldRun>;
  readonly asked: RunVersionsQuery;
}

/** Of those who have a run the first that answers counts: this peer, where it is one of them. */
async function* partsInMesh(
  deps: MeshVersionsDeps,
  { runs, held, asked }: PartsRequest,
): AsyncIterable<readonly VersionPart[]> {
  let left = runs.map((summary) => ({
    summary,
    peers: held.get(runText(summary.run))?.peers ?? [],
  }));
  while (left.length > 0) {
    const byPeer = new Map<PeerId, RunSummary[]>();
    for (const { summary, peers } of left) {
      const [peer] = peers;
      if (peer !== undefined) byPeer.set(peer, [...(byPeer.get(peer) ?? []), summary]);
    }
    const told = await Promise.all(
      [...byPeer].map(async ([peer, group]) => ({
        group,
        answer: await partsOfPeer(deps, peer, { runs: group, asked }),
      })),
    );
    const failed = new Set<RunSummary>();
    for (const { group, answer } of told) {
      if (answer === undefined) for (const summary of group) failed.add(summary);
      else yield answer;
    }
    left = left.flatMap(({ summary, peers }) =>
      failed.has(summary) && peers.length > 1 ? [{ summary, peers: peers.slice(1) }] : [],
    );
  }
}

/** Undefined where it did not answer to the end: half of what it knows would count runs by half. */
async function partsOfPeer(
  deps: MeshVersionsDeps,
  peer: PeerId,
  { runs, asked }: Pick<PartsRequest, "runs" | "asked">,
): Promise<VersionPart[] | undefined> {
  const byText = new Map(runs.map((summary) => [runText(summary.run), summary]));
  const parts: VersionPart[] = [];
  const lacking: LackedTask[] = [];
  const wanted = new WantedNames(asked);
  let from: Question["from"];
  for (let page = 0; page < VERSION_PAGES_MAX; page++) {
    const question = questionOf(
      runs.map(({ run }) => run),
      asked,
    );
    const answer = await deps.asker.one(
      peer,
      askVersions,
      from === undefined ? question : { ...question, from },
      ASK_LIST_MS_MAX,
    );
    if (answer === undefined) return undefined;
    for (const part of answer.parts)
      if (isOfRuns(part, byText) && wanted.has(part)) parts.push(part);
    for (const task of answer.lacking) if (byText.has(task.run)) lacking.push(task);
    const { next } = answer;
    if (next === undefined || !leadsOn(from, next)) break;
    from = next;
  }
  parts.push(...(await lackedParts(deps, { lacking, byText, asked })));
  return parts;
}

/** A peer speaks for the runs that it was asked about, and for nothing else. */
function isOfRuns(
  { artifact, run, lastRun, seen }: VersionPart,
  runs: ReadonlyMap<string, RunSummary>,
): boolean {
  const summary = runs.get(run);
  if (summary === undefined || !runs.has(lastRun) || seen > runs.size) return false;
  return artifact.startsWith(`${summary.run.flow}/`);
}

/** A page that does not lead on would be asked for ever. */
function leadsOn(from: Question["from"], next: NonNullable<Answer["next"]>): boolean {
  const before = from ?? { run: 0, task: -1 };
  return next.run > before.run || (next.run === before.run && next.task > before.task);
}

function questionOf(runs: readonly RunRef[], asked: RunVersionsQuery): Question {
  const { names, only, since, until, peer, params } = asked;
  return {
    runs: [...runs].slice(0, VERSION_RUNS_MAX),
    ...names,
    what: [...names.what],
    ...(only === undefined ? {} : { only: [...only] }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(peer === undefined ? {} : { peer }),
    ...(params === undefined ? {} : { params }),
  };
}

interface LackedRequest {
  readonly lacking: readonly LackedTask[];
  readonly byText: ReadonlyMap<string, RunSummary>;
  readonly asked: RunVersionsQuery;
}

async function lackedParts(
  { asker, store }: MeshVersionsDeps,
  { lacking, byText, asked }: LackedRequest,
): Promise<VersionPart[]> {
  if (lacking.length === 0) return [];
  const facts = await factsInMesh(
    { asker, store },
    lacking.map(({ ref }) => ref),
  );
  const wanted = new WantedNames(asked);
  return lacking.flatMap(({ run, ref: _ref, ...seen }, at) => {
    const fact = facts[at];
    const summary = byText.get(run);
    if (fact === undefined || summary === undefined) return [];
    return [...seenParts(summary, seen, fact)].filter((part) => wanted.has(part));
  });
}

/** A page is full before it breaks the limits of the message: one task more must still fit. */
const PAGE_PARTS = 2_500;
const PAGE_BYTES = PAGE_BYTES_MAX / 2;
/** What a part takes beside its name and kind. */
const PART_BYTES = 360;
/** Batches of tasks looked at for one page: within the time that the asker waits. */
const PAGE_TURNS = 200;

export interface VersionAnswerDeps {
  readonly store: Pick<Store, "getRun" | "journal" | "getResults">;
  readonly selfName: string;
}

/** What this peer says: a page of it. */
export async function answerVersions(
  { store, selfName }: VersionAnswerDeps,
  { runs, from = { run: 0, task: 0 }, only, since, until, peer, params, ...names }: Question,
): Promise<Answer> {
  const asked: RunVersionsQuery = {
    names,
    ...(only === undefined ? {} : { only }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(peer === undefined ? {} : { peer }),
    ...(params === undefined ? {} : { params }),
  };
  const fold = new VersionFold();
  const lacking: Answer["lacking"] = [];
  let bytes = 0;
  let pages = 0;
  for (const [position, run] of runs.entries()) {
    if (position < from.run) continue;
    const summary = await store.getRun(run);
    if (summary === undefined) continue;
    const options = { from: position === from.run ? from.task : 0, self: selfName };
    for await (const { parts, lacking: more, next } of versionsOfRun(
      store,
      summary,
      asked,
      options,
    )) {
      for (const part of parts) fold.add(part);
      lacking.push(...more);
      for (const { artifact, kind } of parts) bytes += artifact.length + kind.length + PART_BYTES;
      for (const { task } of more) bytes += task.length + PART_BYTES;
      // What is known when a run begins comes with its first tasks.
      if (next === 0) continue;
      pages++;
      if (fold.size + lacking.length < PAGE_PARTS && bytes < PAGE_BYTES && pages < PAGE_TURNS)
        continue;
      return { parts: fold.rows(), lacking, next: { run: position, task: next } };
    }
  }
  return { parts: fold.rows(), lacking };
}

/** Names of the peers that hold each version; the newest ones only, where there are very many. */
async function holdersOf(
  { asker, exchange }: MeshVersionsDeps,
  rows: readonly VersionPart[],
): Promise<Map<string, readonly string[]>> {
  const ids = await newestContents(rows);
  const names = new Map<string, readonly string[]>();
  for (let at = 0; at < ids.length; at += HOLDERS_BATCH) {
    const batch: Cid[] = ids.slice(at, at + HOLDERS_BATCH);
    for (const [id, peers] of await exchange.holders(batch))
      names.set(id, peers.map((peer: PeerId) => asker.nameOf(peer)).sort());
  }
  return names;
}

/** No more are looked at than are asked about, some between two turns of the event loop: an id takes microseconds to check. */
async function newestContents(rows: readonly VersionPart[]): Promise<Cid[]> {
  const ids = new Set<Cid>();
  for (const [at, { what, id }] of rows.entries()) {
    if (ids.size === HOLDERS_MAX) break;
    if (what === "artifact" && isWholeCid(id)) ids.add(id);
    if (at % HOLDERS_BATCH === HOLDERS_BATCH - 1) await nextTurn();
  }
  return [...ids];
}
