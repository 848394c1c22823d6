/**
 * Takes away what nobody keeps: rows in bounded batches, each between two commits, then the segments that have become empty or
 * nearly so. A row is looked at again in the moment it goes, so what was stored or asked for meanwhile stays.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { parseCid } from "../../artifact/cid.ts";
import { resultIdOf } from "../../artifact/result-id.ts";
import type { Fact, FactRef } from "../../model/fact.ts";
import type { Cid, RunRef } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import {
  SPARED_MS,
  type Sweep,
  type Sweeper,
  type SweepPlan,
  type SweepReport,
  type SweepSet,
} from "../ports.ts";
import { allFacts, foldOutputs, readResults } from "./fact-rows.ts";
import {
  decodeChunkRow,
  decodeFact,
  decodeRow,
  encodeFact,
  PREFIX,
  resultKey,
  runKey,
  runRowKeys,
} from "./index-rows.ts";
import type { Kv, KvOp } from "./kv.ts";
import type { RecentUse, UseWatch } from "./recent-use.ts";
import { SegmentCompaction, type CompactionParts } from "./segment-compaction.ts";

/** Rows that go together: commits wait for so many at most, a few ms. */
const SWEEP_BATCH = 512;
/** Ids that are parsed in one turn of the loop: a ms or two. */
const TURN_IDS = 256;

export interface SweeperParts extends CompactionParts {
  /** Memo keys, and digests of contents. */
  readonly recent: RecentUse;
  readonly forgetRun: (run: RunRef) => void;
}

interface Going {
  readonly plan: SweepPlan;
  readonly live: Set<string>;
  readonly removed: ReadonlySet<string>;
  /** Facts that stay only because somebody asked for them. */
  readonly spared: Fact[];
  readonly used: UseWatch;
  readonly beganAt: number;
  readonly report: { runs: number; facts: number; contents: number; bytes: number };
}

/** A row that is about to go. */
interface DeadRow {
  readonly key: string;
  /** What commits and readers would have named; "" of what nobody asks for. */
  readonly name: string;
  readonly isRemoved: boolean;
  readonly ops?: readonly KvOp[];
  readonly bytes?: number;
  readonly fact?: Fact;
}

export class LevelSweeper implements Sweeper {
  readonly #parts: SweeperParts;
  readonly #compaction: SegmentCompaction;
  #sweeping: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#compaction = new SegmentCompaction(parts, () => this.#isStopped);
  }

  async *facts(): AsyncIterable<Fact> {
    yield* allFacts(await this.#parts.index.ready());
  }

  async results(refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
    return readResults(await this.#parts.index.ready(), refs);
  }

  begin(): Sweep {
    const used = this.#parts.recent.watch();
    const beganAt = this.#parts.clock.monotonic();
    return {
      abandon: () => used.end(),
      sweep: (plan) => {
        const sweeping = this.#sweeping
          .then(() => this.#sweep(plan, used, beganAt))
          .finally(() => used.end());
        this.#sweeping = sweeping.catch(() => undefined);
        return sweeping;
      },
    };
  }

  /** Resolves once nothing is being taken away any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#compaction.stop();
    await this.#sweeping;
  }

  async #sweep(plan: SweepPlan, used: UseWatch, beganAt: number): Promise<SweepReport> {
    const { index } = this.#parts;
    const going: Going = {
      plan,
      live: await this.#digests(plan.live.contents),
      removed: await this.#digests(plan.removed.contents),
      spared: [],
      used,
      beganAt,
      report: { runs: 0, facts: 0, contents: 0, bytes: 0 },
    };
    const kv = await index.ready();
    await this.#sweepFacts(kv, going);
    await this.#keepNamedBySpared(going);
    await this.#sweepContents(kv, going);
    for (const run of plan.runs) await this.#sweepRun(kv, run, going);
    const diskBytes = plan.isDryRun ? 0 : await this.#compaction.compact(plan.isShared);
    return { ...going.report, diskBytes };
  }

  async #foldOutputs(kv: Kv): Promise<void> {
    try {
      await foldOutputs(kv);
    } catch (error) {
      throw this.#parts.failure(error);
    }
  }

  /** A fact that was looked up a moment ago is reused by now: its page, and files inside its values, were asked for by nobody. */
  async #keepNamedBySpared({ plan, live, spared }: Going): Promise<void> {
    if (spared.length === 0 || plan.namedBy === undefined) return;
    const named = await plan.namedBy(spared);
    for (const digest of await this.#digests(named)) live.add(digest);
  }

  async #digests(contents: ReadonlySet<Cid>): Promise<Set<string>> {
    const digests = new Set<string>();
    let turn = 0;
    for (const id of contents) {
      for (const digest of await this.#parts.reader.piecesOf(id)) digests.add(digest);
      if (++turn % TURN_IDS === 0) await nextTurn();
    }
    return digests;
  }

  async #sweepFacts(kv: Kv, going: Going): Promise<void> {
    const { report } = going;
    const dead = this.#batches(going, (count) => (report.facts += count));
    for await (const [key, row] of kv.rows(PREFIX.result)) {
      const fact = decodeFact(row);
      if (fact !== undefined && isDeadFact(fact, going.plan))
        await dead.add({ key, fact, ...namedFact(fact, going) });
    }
    for await (const [key, row] of kv.rows(PREFIX.fact)) {
      const fact = decodeFact(row);
      if (fact === undefined || !isDeadFact(fact, going.plan)) continue;
      const ops = await this.#nextLatest(kv, key, { fact, plan: going.plan });
      await dead.add({ key, fact, ops, ...namedFact(fact, going) });
    }
    await dead.end();
  }

  /** Where another result of the key stays, it is now the one that counts. */
  async #nextLatest(
    kv: Kv,
    key: string,
    { fact, plan }: { readonly fact: Fact; readonly plan: SweepPlan },
  ): Promise<KvOp[]> {
    let latest: Fact | undefined;
    for await (const [, row] of kv.rows(`${PREFIX.result}${fact.memoKey}.`)) {
      const other = decodeFact(row, fact.memoKey);
      if (other === undefined || isDeadFact(other, plan)) continue;
      if (latest === undefined || other.at > latest.at) latest = other;
    }
    if (latest === undefined) return [{ type: "del", key }];
    return [
      { type: "put", key, value: encodeFact(latest) },
      { type: "del", key: resultKey(latest.memoKey, resultIdOf(latest)) },
    ];
  }

  async #sweepContents(kv: Kv, going: Going): Promise<void> {
    const { report } = going;
    if (!going.plan.isDryRun) await this.#foldOutputs(kv);
    const listed = this.#batches(going, () => undefined);
    for await (const [key] of kv.rows(PREFIX.output)) {
      const name = digestOfKey(key);
      if (name === undefined) await listed.add({ key, name: "", isRemoved: true });
      else if (isDeadContent(name, going)) await listed.add({ key, ...named(name, going) });
    }
    await listed.end();
    const count = (pieces: number, bytes: number): void => {
      report.contents += pieces;
      report.bytes += bytes;
    };
    const dead = this.#batches(going, count);
    for await (const [key, row] of kv.rows(PREFIX.inline)) {
      const name = key.slice(PREFIX.inline.length);
      if (isDeadContent(name, going))
        await dead.add({ key, ...named(name, going), bytes: row.length });
    }
    for await (const [key, row] of kv.rows(PREFIX.chunk)) {
      const name = key.slice(PREFIX.chunk.length);
      if (isDeadContent(name, going))
        await dead.add({ key, ...named(name, going), bytes: decodeChunkRow(row).bytes });
    }
    await dead.end();
  }

  /** First all that leads to it, so that no reader meets half a journal. */
  async #sweepRun(kv: Kv, run: RunRef, going: Going): Promise<void> {
    const [row] = await kv.getMany([PREFIX.run + runKey(run)]);
    const summary = row === undefined ? undefined : (decodeRow(row) as RunSummary | undefined);
    const first = runRowKeys(run, summary?.createdAt).map((key) => ({ key, ...UNNAMED }));
    const dead = this.#batches(going, () => undefined);
    if (row !== undefined) {
      for (const item of first) await dead.add(item);
      await dead.end();
      going.report.runs++;
      if (!going.plan.isDryRun) this.#parts.forgetRun(run);
    }
    for await (const [key] of kv.rows(`${PREFIX.journal}${runKey(run)}!`))
      await dead.add({ key, ...UNNAMED });
    await dead.end();
  }

  #batches(going: Going, count: (rows: number, bytes: number) => void) {
    let rows: DeadRow[] = [];
    const end = async (): Promise<void> => {
      const batch = rows;
      rows = [];
      if (batch.length > 0) await this.#remove(batch, going, count);
    };
    return {
      end,
      add: async (row: DeadRow): Promise<void> => {
        if (rows.push(row) >= SWEEP_BATCH) await end();
      },
    };
  }

  #isSpared({ name, isRemoved }: DeadRow, { plan, used }: Going): boolean {
    if (!plan.isShared || name === "") return false;
    if (used.has(name)) return true;
    return !(isRemoved && plan.isQuiet) && this.#parts.recent.has(name);
  }

  async #remove(
    rows: readonly DeadRow[],
    going: Going,
    count: (rows: number, bytes: number) => void,
  ): Promise<void> {
    const { exclusive, index, reader, failure, clock } = this.#parts;
    if (this.#isStopped || clock.monotonic() - going.beganAt > SPARED_MS) return;
    const total = (gone: readonly DeadRow[]): void =>
      count(
        gone.length,
        gone.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
      );
    const isSpared = (row: DeadRow): boolean => {
      const isKept = this.#isSpared(row, going);
      if (isKept && row.fact !== undefined) going.spared.push(row.fact);
      return isKept;
    };
    if (going.plan.isDryRun) return total(rows.filter((row) => !isSpared(row)));
    await exclusive(async () => {
      const gone = rows.filter((row) => !isSpared(row));
      if (gone.length === 0) return;
      const ops = gone.flatMap(({ key, ops = [{ type: "del", key } as const] }) => ops);
      const kv = await index.ready();
      try {
        await kv.batch(ops);
      } catch (error) {
        throw failure(error);
      }
      reader.forget(gone.map(({ name }) => name));
      total(gone);
    });
  }
}

/** Rows that nobody asks for by name. */
const UNNAMED = { name: "", isRemoved: true };

function isDeadFact(fact: Fact, { live, removed, withOrphans }: SweepPlan): boolean {
  return !isIn(live, fact) && (withOrphans || isIn(removed, fact));
}

function isIn({ facts }: SweepSet, fact: Fact): boolean {
  return facts.has(fact.memoKey) || facts.has(`${fact.memoKey}.${resultIdOf(fact)}`);
}

function isDeadContent(digest: string, { live, removed, plan }: Going): boolean {
  return !live.has(digest) && (plan.withOrphans || removed.has(digest));
}

function namedFact(fact: Fact, { plan }: Going): Pick<DeadRow, "name" | "isRemoved"> {
  return { name: fact.memoKey, isRemoved: isIn(plan.removed, fact) };
}

function named(digest: string, { removed }: Going): Pick<DeadRow, "name" | "isRemoved"> {
  return { name: digest, isRemoved: removed.has(digest) };
}

/** Undefined of a row that is no id: it leads nowhere. */
function digestOfKey(key: string): string | undefined {
  try {
    return parseCid(key.slice(PREFIX.output.length)).digest;
  } catch {
    return undefined;
  }
}
