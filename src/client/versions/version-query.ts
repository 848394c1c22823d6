/** What is asked about versions, and which names a prefix means. */
import { sourceName, SOURCE_PREFIX } from "../../graph/source-spec.ts";
import { MfError } from "../../model/errors.ts";
import { runText } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import { isSet, type Mark } from "../../model/mark.ts";
import { hasTags, marksByRun, tagsNamed } from "../../model/run-tags.ts";

/** `artifact`: what steps returned. `source`: external objects as runs found them. `code`: the code that steps ran. */
export const VERSION_KINDS = ["artifact", "source", "code"] as const;
export type VersionKind = (typeof VERSION_KINDS)[number];

/** Filters choose runs, and what was seen in them; a row is about what is left. */
export interface VersionsQuery {
  /** `flow`, `flow/step`, `flow/step[i]`, `flow/step/artifact`, `flow/source:URI` or `flow/code:step`; the last two may end at the colon. */
  readonly prefix?: string;
  /** @default what the prefix names; artifacts where it names only a flow or nothing */
  readonly what?: readonly VersionKind[];
  /** Seen at this time or after, ms since 1970. */
  readonly since?: number;
  readonly until?: number;
  readonly user?: string;
  /** Every one of them is on the run, given or by itself (`state:failed`). */
  readonly tags?: readonly string[];
  /** `flow/id`, an id, or the beginning of one. */
  readonly run?: string;
  /** Name of the peer that made it. */
  readonly peer?: string;
  /** Parameter of the run -> its text. */
  readonly params?: Readonly<Record<string, string>>;
  /** At most this many rows. @default VERSION_ROWS_MAX */
  readonly limit?: number;
  /** One row for each name (a step in a foreach counts as one): its newest version, and how many there are. */
  readonly glance?: boolean;
}

/** Rows of one answer, and of what is kept while it is put together. */
export const VERSION_ROWS_MAX = 250_000;

const CODE = "code:";

/** Which names are wanted. */
export interface VersionNames {
  readonly what: readonly VersionKind[];
  readonly flow?: string;
  /** `fit` or `fit[3]`. */
  readonly step?: string;
  readonly artifact?: string;
  /** Whole, or "" for every source. */
  readonly source?: string;
}

/** @throws MfError PATHSPEC_INVALID */
export function versionNamesOf({ prefix = "", what }: VersionsQuery): VersionNames {
  if (prefix === "") return { what: what ?? ["artifact"] };
  const slash = prefix.indexOf("/");
  const flow = slash < 0 ? prefix : prefix.slice(0, slash);
  const rest = slash < 0 ? undefined : prefix.slice(slash + 1);
  if (flow === "" || rest === "") throw invalid(prefix);
  if (rest === undefined) return { what: what ?? ["artifact"], flow };
  if (rest.startsWith(SOURCE_PREFIX))
    return { what: ["source"], flow, source: rest.slice(SOURCE_PREFIX.length) };
  if (rest.startsWith(CODE)) {
    const step = rest.slice(CODE.length);
    return step === "" ? { what: ["code"], flow } : { what: ["code"], flow, step };
  }
  const [step = "", artifact, ...more] = rest.split("/");
  refuseRun(prefix, step);
  if (step === "" || artifact === "" || more.length > 0) throw invalid(prefix);
  if (artifact !== undefined) return { what: ["artifact"], flow, step, artifact };
  return { what: what ?? ["artifact"], flow, step };
}

/** Who writes `flow/latest/fit` means one run's. No step is called so. */
function refuseRun(text: string, step: string): void {
  if (step !== "latest" && !step.startsWith("@")) return;
  throw new MfError("PATHSPEC_INVALID", {
    text,
    reason: "versions are named flow/step/artifact, without a run; --run chooses one",
  });
}

function invalid(text: string): MfError {
  return new MfError("PATHSPEC_INVALID", {
    text,
    reason: "versions are named flow/step/artifact, flow/source:URI or flow/code:step",
  });
}

export function artifactName(flow: string, task: string, artifact: string): string {
  return `${flow}/${task}/${artifact}`;
}

export function sourceVersionName(flow: string, spec: string): string {
  return `${flow}/${sourceName(spec)}`;
}

export function codeName(flow: string, step: string): string {
  return `${flow}/${CODE}${step}`;
}

/** The name without foreach indexes: `flow/fit/v` of `flow/fit[3]/v`. */
export function bareName(name: string): string {
  return name.includes(SOURCE_PREFIX) ? name : name.replace(/\[[\d,]*\](?=\/|$)/, "");
}

/** Which of the runs, newest first, could have anything that is asked for. */
export function runsAsked(
  runs: readonly RunSummary[],
  { since, until, user, tags = [], run }: VersionsQuery,
  marks: readonly Mark[],
): RunSummary[] {
  const byRun = marksByRun(tagsNamed(marks, tags));
  const gone = new Set<string>();
  for (const mark of marks) if (mark.kind === "gone" && isSet(mark)) gone.add(mark.on);
  return runs.filter((summary) => {
    const text = runText(summary.run);
    if (gone.has(text)) return false;
    if (since !== undefined && (summary.finishedAt ?? Infinity) < since) return false;
    if (until !== undefined && summary.createdAt > until) return false;
    if (user !== undefined && summary.user !== user) return false;
    if (run !== undefined && !text.startsWith(run) && !summary.run.id.startsWith(run)) return false;
    return hasTags(summary, byRun, tags);
  });
}
