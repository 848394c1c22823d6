/** ReadSide over a store that this process holds: the reading functions of src/client under one interface. */
import { MfError } from "../../model/errors.ts";
import type { RunProgress } from "../../engine/run-api.ts";
import { runText, taskText, type RunRef } from "../../model/ids.ts";
import type { Store } from "../../store/ports.ts";
import { parseRunText } from "../collection/roots.ts";
import { identityPeer } from "../../trust/identity-key.ts";
import { resolvePathspec, type Resolved } from "../resolve-pathspec.ts";
import { listRuns, resolveRun, runStatus, withProgress } from "../runs.ts";
import { listVersions } from "../versions/list-versions.ts";
import type { ReadSide, ResolvedPathspec } from "./read-side.ts";

/** `live`: how a run stands that goes on in this process; the store alone knows only what has ended. */
export function localReadSide(
  store: Store,
  live: (run: RunRef) => RunProgress | undefined = () => undefined,
): ReadSide {
  return {
    runs: (flow) => listRuns(store, flow === undefined ? {} : { flow }),
    run: (run) => resolveRun(store, run),
    async status(text) {
      const { run } = await resolveRun(store, text);
      const status = await runStatus(store, run);
      // Asked after the journal was read, so that it is never older than that.
      const progress = live(run);
      return progress === undefined ? status : withProgress(status, progress);
    },
    versions: (query) => listVersions(store, query),
    resolve: async (pathspec) => resolvedData(pathspec, await resolvePathspec(store, pathspec)),
    async journal(text) {
      // By its whole name also a run that was removed: until it is collected, that can be taken back.
      const named = parseRunText(text);
      const known = named === undefined ? undefined : await store.getRun(named);
      const { run } = known ?? (await resolveRun(store, text));
      return collected(store.journal(run));
    },
    facts: (refs) => store.getResults(refs),
    marks: () => store.marks(),
    async signers(peers) {
      const self = identityPeer(store.home);
      return peers.map((peer) => ({ peer, standing: peer === self ? "self" : "unknown" }));
    },
    async packageId(run) {
      const { run: ref } = await resolveRun(store, run);
      for await (const entry of store.journal(ref)) {
        if (entry.t === "run-started") return entry.packageId;
      }
      throw new MfError("RUN_NOT_FOUND", { run });
    },
    locate: (ids) => store.locate(ids),
    reachable: (ids) => store.has(ids),
  };
}

/** Only what a reader needs, as plain data. A flow or a run alone names no value. */
export function resolvedData(pathspec: string, resolved: Resolved): ResolvedPathspec {
  switch (resolved.k) {
    case "content":
      return { kind: "content", id: resolved.id };
    case "artifacts": {
      const artifacts = resolved.artifacts.map(({ pathspec, index, ref, path }) => ({
        pathspec,
        index,
        ref,
        path,
        name: nameOf(pathspec, path),
      }));
      const [first] = artifacts;
      return resolved.isOne && first !== undefined
        ? { kind: "artifact", artifact: first }
        : { kind: "artifacts", artifacts };
    }
    case "tasks":
      return {
        kind: "artifacts",
        artifacts: resolved.tasks.flatMap((task) =>
          Object.entries(task.fact.outputs).map(([name, ref]) => ({
            pathspec: `${runText(resolved.run.run)}/${taskText(task)}/${name}`,
            name,
            index: task.index,
            ref,
            path: [],
          })),
        ),
      };
    case "flow":
    case "run":
      throw new MfError("PATHSPEC_NOT_FOUND", {
        pathspec,
        reason: "it names no artifact",
        hint: "Write flow/run/step[i]/artifact; `mf ls-versions` lists artifacts.",
      });
  }
}

function nameOf(pathspec: string, path: readonly string[]): string {
  const last = pathspec.slice(pathspec.lastIndexOf("/") + 1);
  const tail = path.length === 0 ? "" : `.${path.join(".")}`;
  return tail !== "" && last.endsWith(tail) ? last.slice(0, -tail.length) : last;
}

export async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
