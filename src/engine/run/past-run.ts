/** Everything a run was begun with, read back from the store: another owner goes on with exactly that. */
import type { FlowPackage } from "../../code/flow-package.ts";
import type { InputSource } from "../../model/fact.ts";
import type { Cid, RunRef } from "../../model/ids.ts";
import { parsePathspec } from "../../model/pathspec.ts";
import type { Store } from "../../store/ports.ts";
import type { ParamValue, RunRequest } from "../run-api.ts";
import { pastSources } from "./given-sources.ts";
import { provenanceOf } from "./provenance.ts";
import { readHistory, type RunHistory } from "./run-history.ts";

export interface PastRun {
  readonly history: RunHistory;
  readonly flowPackage: FlowPackage;
  readonly request: RunRequest;
  /** Of each from(): what it was resolved to when the run began. */
  readonly versions: ReadonlyMap<string, InputSource>;
}

/** @throws MfError RUN_NOT_FOUND, RUN_ENDED, CONTENT_MISSING */
export async function readPastRun(
  store: Pick<Store, "journal" | "read">,
  run: RunRef,
): Promise<PastRun> {
  const history = await readHistory(run, store.journal(run));
  const { packageId, params, paramTexts, versions, user, seed, options, sources, ...started } =
    history.started;
  const text = Buffer.from(await store.read(packageId)).toString("utf8");
  const values: Record<string, ParamValue> = {};
  for (const [name, id] of Object.entries(params))
    values[name] = { id, data: await store.read(id), text: paramTexts[name] ?? "" };
  const pinned = Object.entries(versions).map(([pathspec, id]): [string, InputSource] => [
    pathspec,
    pinnedVersion(pathspec, id),
  ]);
  return {
    history,
    flowPackage: JSON.parse(text) as FlowPackage,
    request: {
      params: values,
      user,
      seed,
      ...options,
      ...(await pastSources((id) => store.read(id), sources)),
      ...provenanceOf(started),
    },
    versions: new Map(pinned),
  };
}

/** What a from() stood for when a run began; its path inside the artifact is in the pathspec. */
export function pinnedVersion(pathspec: string, id: Cid): InputSource {
  const spec = parsePathspec(pathspec);
  const path = spec.k === "content" ? undefined : spec.path;
  return { k: "artifact", id, ...(path === undefined ? {} : { path }) };
}
