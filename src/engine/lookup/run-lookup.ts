/** Finds a run by what people type for it: its id, a unique beginning of the id, or `latest`. */
import { MfError } from "../../model/errors.ts";
import type { RunSummary } from "../../model/journal.ts";
import { LATEST } from "../../model/pathspec.ts";
import type { Store } from "../../store/ports.ts";

/** `latest` is the newest that succeeded; where none has, the newest. Runs that only verify another are passed over. @throws MfError RUN_NOT_FOUND, PATHSPEC_AMBIGUOUS */
export async function findRun(
  store: Pick<Store, "runs">,
  flow: string,
  run: string,
): Promise<RunSummary> {
  const runs = await store.runs(flow);
  if (run === LATEST) {
    const own = runs.filter(({ origin }) => origin?.how !== "verify");
    const found = own.find(({ state }) => state === "succeeded") ?? own[0] ?? runs[0];
    if (found === undefined) throw new MfError("RUN_NOT_FOUND", { run: `${flow}/${run}` });
    return found;
  }
  const exact = runs.find((summary) => summary.run.id === run);
  const fitting =
    exact === undefined ? runs.filter((summary) => summary.run.id.startsWith(run)) : [exact];
  const [found] = fitting;
  if (found === undefined) throw new MfError("RUN_NOT_FOUND", { run: `${flow}/${run}` });
  if (fitting.length > 1)
    throw new MfError("PATHSPEC_AMBIGUOUS", {
      text: `${flow}/${run}`,
      candidates: fitting
        .slice(0, 5)
        .map((summary) => `${flow}/${summary.run.id}`)
        .join(", "),
    });
  return found;
}
