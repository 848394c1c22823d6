/** A flow: its runs, and the versions of what they made. */
import { isSet } from "../../model/mark.ts";
import { runText } from "../../model/ids.ts";
import type { RunState, RunSummary } from "../../model/journal.ts";
import { marksByRun } from "../../model/run-tags.ts";
import { selectRuns } from "../select-runs.ts";
import type { VersionRow } from "../versions/list-versions.ts";
import type { VersionsQuery } from "../versions/version-query.ts";
import type { Library } from "./library.ts";
import { Run } from "./run.ts";

export interface RunsFilter {
  readonly state?: RunState;
  /** Every one of them, given (`good`) or its own (`user:ada`). */
  readonly tags?: readonly string[];
  readonly user?: string;
  readonly project?: string;
  readonly branch?: string;
  /** Begun then or later: ms since 1970, or a Date. */
  readonly since?: number | { valueOf(): number };
  readonly until?: number | { valueOf(): number };
  readonly limit?: number;
}

export class Flow {
  readonly name: string;
  readonly pathspec: string;
  readonly #library: Library;

  constructor(library: Library, name: string) {
    this.#library = library;
    this.name = name;
    this.pathspec = name;
  }

  /** Newest first. */
  async *runs(filter: RunsFilter = {}): AsyncIterable<Run> {
    for (const summary of await runsOf(this.#library, this.name, filter))
      yield new Run(this.#library, summary);
  }

  [Symbol.asyncIterator](): AsyncIterator<Run> {
    return this.runs()[Symbol.asyncIterator]();
  }

  /** An id, a unique beginning of one, `latest`, `@tag` or a time. @throws MfError RUN_NOT_FOUND */
  async run(id: string): Promise<Run> {
    return new Run(this.#library, await this.#library.records.side.run(`${this.name}/${id}`));
  }

  /** The newest that fits; runs that only verify another are passed over where there are others, as for `latest`. */
  async latestRun(filter: RunsFilter = {}): Promise<Run | undefined> {
    const runs = await runsOf(this.#library, this.name, filter);
    const summary = runs.find(({ origin }) => origin?.how !== "verify") ?? runs[0];
    return summary === undefined ? undefined : new Run(this.#library, summary);
  }

  latestSuccessfulRun(filter: RunsFilter = {}): Promise<Run | undefined> {
    return this.latestRun({ ...filter, state: "succeeded" });
  }

  /** Newest first; the query's prefix is what follows the flow: `step`, `step/artifact`, `source:URI`, `code:step`. */
  async versions({ prefix, ...query }: VersionsQuery = {}): Promise<readonly VersionRow[]> {
    const whole = prefix === undefined ? this.name : `${this.name}/${prefix}`;
    return (await this.#library.records.side.versions({ ...query, prefix: whole })).rows;
  }

  toString(): string {
    return `Flow(${this.name})`;
  }
}

/** Of one flow or of all, newest first, without what was removed. */
export async function runsOf(
  { records }: Library,
  flow: string | undefined,
  { since, until, limit, ...filter }: RunsFilter,
): Promise<readonly RunSummary[]> {
  const all = await records.runs(flow);
  const marks = await records.side.marks();
  const gone = new Set(
    marks.filter((mark) => mark.kind === "gone" && isSet(mark)).map((mark) => mark.on),
  );
  const runs = selectRuns(
    all.filter(({ run }) => !gone.has(runText(run))),
    marksByRun(marks),
    {
      ...filter,
      ...(since === undefined ? {} : { since: since.valueOf() }),
      ...(until === undefined ? {} : { until: until.valueOf() }),
    },
  );
  return limit === undefined ? runs : runs.slice(0, limit);
}
