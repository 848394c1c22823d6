/** The store the engine of a daemon works on: what it commits of a run goes through whoever holds the run. */
import type { RunRef } from "../../src/model/ids.ts";
import type { CommitBatch, Store } from "../../src/store/ports.ts";

export interface RunCommits {
  /** Commits what concerns a run. Must commit the rest of the batch too. */
  commit(run: RunRef, batch: CommitBatch): Promise<void>;
}

/** Same store, other commits: everything else is passed on as it is. */
export function owningStore(store: Store, commits: RunCommits): Store {
  return {
    home: store.home,
    scratchDir: store.scratchDir,
    commit: (batch) => {
      const run = batch.journal?.run ?? batch.summary?.run;
      return run === undefined ? store.commit(batch) : commits.commit(run, batch);
    },
    getFacts: (keys) => store.getFacts(keys),
    facts: () => store.facts(),
    putBytes: (data, codec) => store.putBytes(data, codec),
    putFile: (path) => store.putFile(path),
    has: (ids) => store.has(ids),
    locate: (ids) => store.locate(ids),
    read: (id) => store.read(id),
    stream: (id) => store.stream(id),
    runs: (flow) => store.runs(flow),
    getRun: (run) => store.getRun(run),
    journal: (run) => store.journal(run),
    stats: () => store.stats(),
    close: () => store.close(),
  };
}
