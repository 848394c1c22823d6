/**
 * What was seen in runs, put together: an equal version (one name, one content) is the same version seen again. Putting together is
 * commutative and associative as long as each run is counted once, so it is the same in whichever order peers answer.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { sortInTurns } from "../../std/sort-in-turns.ts";
import { bareName, type VersionKind } from "./version-query.ts";

/** What some runs say of one version. */
export interface VersionPart {
  readonly what: VersionKind;
  /** `flow/step[i]/artifact`, `flow/source:URI`, `flow/code:step`. */
  readonly artifact: string;
  /** A content id; of code its code id. */
  readonly id: string;
  /** The run that made it first, `flow/id`, when it began, and who began it. */
  readonly run: string;
  readonly runAt: number;
  readonly user: string;
  /** When it was made first, and the peer that made it. */
  readonly at: number;
  readonly by: string;
  /** The newest run that has it, and since when. */
  readonly lastRun: string;
  readonly seenAt: number;
  /** Runs that have it. */
  readonly seen: number;
  readonly bytes: number;
  readonly kind: string;
  /** Of the step that made it. */
  readonly code: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class VersionFold {
  readonly #rows = new Map<string, Mutable<VersionPart>>();
  readonly #max: number;
  /** Nothing that is not known yet is taken any more. */
  #isClosed = false;
  /** Something was not taken. */
  isCut = false;

  constructor(max = Infinity) {
    this.#max = max;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Takes the part over: it may be changed. */
  add(part: Mutable<VersionPart>): void {
    const key = `${part.artifact} ${part.id}`;
    const row = this.#rows.get(key);
    if (row !== undefined) return join(row, part);
    if (this.#isClosed || this.#rows.size >= this.#max) {
      this.isCut = true;
      return;
    }
    this.#rows.set(key, part);
  }

  /** Keeps the newest `count` and from now on only counts where those were seen; gives their names. */
  async close(count: number): Promise<string[]> {
    const rows = await this.rowsInTurns();
    if (rows.length > count) this.isCut = true;
    for (const row of rows.slice(count)) this.#rows.delete(`${row.artifact} ${row.id}`);
    this.#isClosed = true;
    return [...new Set(rows.slice(0, count).map((row) => row.artifact))];
  }

  /** When the version was seen last that has `count` - 1 newer ones. */
  seenAtOf(count: number): number {
    const times = Float64Array.from(this.#rows.values(), (row) => row.seenAt).sort();
    return times[times.length - count] ?? -Infinity;
  }

  /** Newest first: by when they were seen last. */
  rows(): VersionPart[] {
    return [...this.#rows.values()].sort(byLastSeen);
  }

  /** The same of very many, with turns of the event loop in between. Nothing may be added meanwhile. */
  rowsInTurns(): Promise<VersionPart[]> {
    return sortInTurns(this.#rows.values(), byLastSeen);
  }
}

export function byLastSeen(a: VersionPart, b: VersionPart): number {
  if (a.seenAt !== b.seenAt) return b.seenAt - a.seenAt;
  if (a.at !== b.at) return b.at - a.at;
  if (a.artifact !== b.artifact) return a.artifact < b.artifact ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

function join(row: Mutable<VersionPart>, part: VersionPart): void {
  row.seen += part.seen;
  if (part.seenAt > row.seenAt || (part.seenAt === row.seenAt && part.lastRun > row.lastRun)) {
    row.seenAt = part.seenAt;
    row.lastRun = part.lastRun;
  }
  if (!isEarlier(part, row)) return;
  const { run, runAt, user, at, by, bytes, kind, code } = part;
  Object.assign(row, { run, runAt, user, at, by, bytes, kind, code });
}

/** A run that reused it says the same time as the run that made it: that one began first. */
function isEarlier(a: VersionPart, b: VersionPart): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.runAt !== b.runAt) return a.runAt < b.runAt;
  return a.run < b.run;
}

/** Rows looked at between two turns of the event loop. */
const ROWS_TURN = 1_024;

/** One row for each name, newest first: its newest version, and how many it has. */
export async function atAGlance(
  rows: readonly VersionPart[],
): Promise<(VersionPart & { readonly versions: number })[]> {
  const newest = new Map<string, { row: VersionPart; ids: Set<string> }>();
  for (const [at, row] of rows.entries()) {
    if (at % ROWS_TURN === ROWS_TURN - 1) await nextTurn();
    const name = bareName(row.artifact);
    const known = newest.get(name);
    if (known === undefined)
      newest.set(name, { row: { ...row, artifact: name }, ids: new Set([row.id]) });
    else known.ids.add(row.id);
  }
  return [...newest.values()].map(({ row, ids }) => ({ ...row, versions: ids.size }));
}
