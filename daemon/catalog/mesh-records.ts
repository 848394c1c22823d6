/** Journals and facts wherever they are: this store's where it has them whole, else what the peers that answer have. */
import { resultIdOf } from "../../src/artifact/result-id.ts";
import { collected } from "../../src/client/control/local-read-side.ts";
import { hasEnded } from "../../src/client/run-result.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Fact, FactRef } from "../../src/model/fact.ts";
import { runText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { JournalEntry } from "../../src/model/journal.ts";
import type { Store } from "../../src/store/ports.ts";
import { askFacts, askJournal, FACT_REFS_MAX } from "../../src/wire/catalog-protocol.ts";
import { ASK_LIST_MS_MAX, HOLDERS_BATCH, ROWS_PER_PEER_MAX } from "./catalog-limits.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import type { PeerAsker } from "./peer-asker.ts";
import type { RunFinder } from "./run-finder.ts";

export interface MeshRecordsDeps {
  readonly asker: PeerAsker;
  readonly finder: RunFinder;
  readonly store: Pick<Store, "journal" | "getResults" | "getRun">;
}

/** Of a run that has ended, this store's journal; else that of whoever knows most. @throws MfError RUN_NOT_FOUND */
export async function journalInMesh(
  { asker, finder, store }: MeshRecordsDeps,
  run: RunRef,
): Promise<readonly JournalEntry[]> {
  const here = await store.getRun(run);
  if (here !== undefined && hasEnded(here)) return collected(store.journal(run));
  for (const { peer } of await finder.told(run)) {
    const entries = await asker.pages(ROWS_PER_PEER_MAX, (from) =>
      asker.one(peer, askJournal, { run, from }, ASK_LIST_MS_MAX),
    );
    if (entries !== undefined && entries.length > 0) return entries;
  }
  throw new MfError("RUN_NOT_FOUND", { run: runText(run) });
}

/** In the order asked. */
export async function factsInMesh(
  { asker, store }: Pick<MeshRecordsDeps, "asker" | "store">,
  refs: readonly FactRef[],
): Promise<(Fact | undefined)[]> {
  const found = await store.getResults(refs);
  const missing = refs.filter((_, at) => found[at] === undefined);
  if (missing.length === 0) return found;
  const told = new Map<string, Fact>();
  for (let at = 0; at < missing.length; at += FACT_REFS_MAX) {
    const page = missing.slice(at, at + FACT_REFS_MAX);
    const wanted = new Set(page.map(({ memoKey }) => memoKey));
    const answers = await asker.everybody((peer) => asker.one(peer, askFacts, { refs: page }), {
      withSelf: false,
    });
    for (const { answer } of answers) {
      for (const fact of answer.facts) {
        if (!wanted.has(fact.memoKey)) continue;
        told.set(`${fact.memoKey}.${resultIdOf(fact)}`, fact);
        if (!told.has(fact.memoKey)) told.set(fact.memoKey, fact);
      }
    }
  }
  return refs.map(
    ({ memoKey, result }, at) =>
      found[at] ?? told.get(result === undefined ? memoKey : `${memoKey}.${result}`),
  );
}

export interface ReachDeps {
  readonly exchange: Pick<ContentExchange, "holders">;
  readonly store: Pick<Store, "has">;
}

/** In the order asked: here, or with a peer that answers. */
export async function reachableInMesh(
  { exchange, store }: ReachDeps,
  ids: readonly Cid[],
): Promise<boolean[]> {
  const isHere = await store.has(ids);
  const elsewhere = new Set<Cid>();
  const missing = [...new Set(ids.filter((_, at) => isHere[at] !== true))];
  for (let at = 0; at < missing.length; at += HOLDERS_BATCH)
    for (const [id, peers] of await exchange.holders(missing.slice(at, at + HOLDERS_BATCH)))
      if (peers.length > 0) elsewhere.add(id);
  return ids.map((id, at) => isHere[at] === true || elsewhere.has(id));
}
