/** What a run says of itself beyond its work: where it comes from and what it belongs to. */
import type { RunRequest } from "../run-api.ts";

export type Provenance = Pick<RunRequest, "origin" | "project" | "branch">;

/** Those of `given` that are set. */
export function provenanceOf({ origin, project, branch }: Provenance): Provenance {
  return {
    ...(origin === undefined ? {} : { origin }),
    ...(project === undefined ? {} : { project }),
    ...(branch === undefined ? {} : { branch }),
  };
}
