/** The same store with other commits: for whoever has to see what is made durable. */
import type { Store } from "./ports.ts";

export function withCommit(store: Store, commit: Store["commit"]): Store {
  return {
    home: store.home,
    scratchDir: store.scratchDir,
    commit,
    getFacts: (keys) => store.getFacts(keys),
    getResults: (refs) => store.getResults(refs),
    facts: () => store.facts(),
    outputs: (prefix, max) => store.outputs(prefix, max),
    marks: () => store.marks(),
    putBytes: (data, codec) => store.putBytes(data, codec),
    putFile: (path) => store.putFile(path),
    has: (ids) => store.has(ids),
    locate: (ids) => store.locate(ids),
    read: (id) => store.read(id),
    stream: (id) => store.stream(id),
    runs: (flow) => store.runs(flow),
    areGone: (runs) => store.areGone(runs),
    sweeper: store.sweeper,
    getRun: (run) => store.getRun(run),
    journal: (run) => store.journal(run),
    stats: () => store.stats(),
    close: () => store.close(),
  };
}
