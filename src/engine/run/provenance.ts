/** What a run says of itself beyond its work: where it comes from and what it belongs to. */
import type { RunSummary } from "../../model/journal.ts";

export type Provenance = Pick<RunSummary, "origin" | "project" | "branch" | "version">;

/** Those of `given` that are set. */
export function provenanceOf({ origin, project, branch, version }: Provenance): Provenance {
  return {
    ...(origin === undefined ? {} : { origin }),
    ...(project === undefined ? {} : { project }),
    ...(branch === undefined ? {} : { branch }),
    ...(version === undefined ? {} : { version }),
  };
}
