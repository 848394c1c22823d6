/** Finds a run by what people type for it: its id, a unique beginning of the id, `latest`, `@tag` or a time. */
import { MfError } from "../../model/errors.ts";
import type { RunSummary } from "../../model/journal.ts";
import type { Mark } from "../../model/mark.ts";
import { readRunAddress } from "../../model/run-address.ts";
import { hasTags, marksByRun, tagsNamed } from "../../model/run-tags.ts";
import type { Store } from "../../store/ports.ts";

/** What of a store is looked at. */
export type RunLists = Pick<Store, "runs" | "marks">;

/**
 * `latest`, a tag and a time stand for the newest run that fits and succeeded; where none has, for the newest that fits.
 * @throws MfError RUN_NOT_FOUND, TAG_NOT_FOUND, PATHSPEC_AMBIGUOUS, PATHSPEC_INVALID
 */
export async function findRun(store: RunLists, flow: string, run: string): Promise<RunSummary> {
  const text = `${flow}/${run}`;
  const address = readRunAddress(run);
  if (typeof address === "string") throw new MfError("PATHSPEC_INVALID", { text, reason: address });
  const runs = await store.runs(flow);
  if (address.k === "id") return runById(runs, address.id, text);
  if (address.k === "tag") return runByTag(runs, { flow, tag: address.tag }, await store.marks());
  const until = address.k === "time" ? address.until : Infinity;
  const found = newestOf(runs.filter(({ createdAt }) => createdAt <= until));
  if (found !== undefined) return found;
  const isTooEarly = address.k === "time" && runs.length > 0;
  throw new MfError("RUN_NOT_FOUND", {
    run: isTooEarly ? `of flow ${flow} that began by ${run}` : text,
  });
}

/** Runs that only verify another are passed over where there are others. */
function newestOf(runs: readonly RunSummary[]): RunSummary | undefined {
  const own = runs.filter(({ origin }) => origin?.how !== "verify");
  return own.find(({ state }) => state === "succeeded") ?? own[0] ?? runs[0];
}

/** Named where there is no such tag. */
const TAGS_SHOWN = 8;

function runByTag(
  runs: readonly RunSummary[],
  { flow, tag }: { readonly flow: string; readonly tag: string },
  marks: readonly Mark[],
): RunSummary {
  const tagged = marksByRun(tagsNamed(marks, [tag]));
  const found = newestOf(runs.filter((summary) => hasTags(summary, tagged, [tag])));
  if (found !== undefined) return found;
  const byRun = marksByRun(marks);
  const known = new Set(runs.flatMap(({ run }) => byRun.get(`${flow}/${run.id}`)?.tags ?? []));
  const shown = [...known].sort().slice(0, TAGS_SHOWN).join(", ");
  const hint =
    runs.length === 0
      ? `No run of flow ${flow} is known: \`mf ls\` lists runs.`
      : known.size === 0
        ? `Its runs have no tags yet: \`mf tag ${flow}/latest ${tag}\` gives one.`
        : `Its runs have: ${shown}${known.size > TAGS_SHOWN ? ", …" : ""} (\`mf tag ${flow}\`).`;
  throw new MfError("TAG_NOT_FOUND", { tag, who: `No run of flow ${flow} has`, hint });
}

function runById(runs: readonly RunSummary[], id: string, text: string): RunSummary {
  const exact = runs.find((summary) => summary.run.id === id);
  const fitting =
    exact === undefined ? runs.filter((summary) => summary.run.id.startsWith(id)) : [exact];
  const [found] = fitting;
  if (found === undefined) throw new MfError("RUN_NOT_FOUND", { run: text });
  if (fitting.length > 1)
    throw new MfError("PATHSPEC_AMBIGUOUS", {
      text,
      candidates: fitting
        .slice(0, 5)
        .map((summary) => `${summary.run.flow}/${summary.run.id}`)
        .join(", "),
    });
  return found;
}
