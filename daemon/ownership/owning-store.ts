/** The store the engine of a daemon works on: what it commits of a run goes through whoever holds the run. */
import type { RunRef } from "../../src/model/ids.ts";
import type { CommitBatch, Store } from "../../src/store/ports.ts";
import { withCommit } from "../../src/store/with-commit.ts";

export interface RunCommits {
  /** Commits what concerns a run. Must commit the rest of the batch too. */
  commit(run: RunRef, batch: CommitBatch): Promise<void>;
}

export function owningStore(store: Store, commits: RunCommits): Store {
  return withCommit(store, (batch) => {
    const run = batch.journal?.run ?? batch.summary?.run;
    return run === undefined ? store.commit(batch) : commits.commit(run, batch);
  });
}
