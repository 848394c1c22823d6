/**
 * What each from() of a flow stands for as a run begins, looked up wherever its run was: an engine knows its own store only. What is
 * wrong with one is told before anything runs.
 */
import type { FlowGraph } from "../graph/flow-graph.ts";
import { innerRefs } from "../graph/queries.ts";
import { isMfError, MfError } from "../model/errors.ts";
import type { Cid } from "../model/ids.ts";
import { parsePathspec } from "../model/pathspec.ts";
import type { ResolvedArtifact } from "./control/read-side.ts";
import type { Records } from "./records.ts";

/** A larger one is not read just to look whether a path leads somewhere. */
const LOOKED_INTO_BYTES_MAX = 64 * 1024 * 1024;
const NAMES_SHOWN_MAX = 8;

/** Pathspec -> content, without those that are `known` already. @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS */
export async function resolveVersions(
  records: Records,
  graph: FlowGraph,
  known: ReadonlySet<string> = new Set(),
): Promise<Record<string, Cid>> {
  const named = innerRefs(graph).flatMap((ref) => (ref.k === "from" ? [ref.pathspec] : []));
  const versions: [string, Cid][] = [];
  for (const pathspec of new Set(named)) {
    if (known.has(pathspec)) continue;
    const artifact = await artifactAt(records, pathspec);
    await lookInto(records, pathspec, artifact);
    versions.push([pathspec, artifact.ref.id]);
  }
  return Object.fromEntries(versions);
}

async function artifactAt(records: Records, pathspec: string): Promise<ResolvedArtifact> {
  const resolved = await records.side.resolve(pathspec).catch((error: unknown) => {
    if (!isMfError(error, "RUN_NOT_FOUND")) throw error;
    const spec = parsePathspec(pathspec);
    const flow = spec.k === "flow" ? spec.flow : pathspec;
    throw notFound(
      pathspec,
      `there is no such run of ${flow}`,
      `from() reads what a run of ${flow} made: run it first, or see \`mf ls ${flow}\`.`,
    );
  });
  if (resolved.kind === "artifact") return resolved.artifact;
  const artifacts = resolved.kind === "artifacts" ? resolved.artifacts : [];
  const first = artifacts[0]?.pathspec.split("/").slice(2).join(".");
  const [flow, run] = pathspec.split("/");
  throw notFound(
    pathspec,
    `it names ${artifacts.length} tasks of a foreach, and from() reads one`,
    `Name one: from('${flow}/${run}/${first}').`,
  );
}

/** A path that leads nowhere would reach the step as undefined. */
async function lookInto(
  records: Records,
  pathspec: string,
  { ref, path, name }: ResolvedArtifact,
): Promise<void> {
  if (path.length === 0 || ref.bytes > LOOKED_INTO_BYTES_MAX) return;
  // One that only another peer holds is brought where it is read.
  if ((await records.has([ref.id]))[0] !== true) return;
  let value = await records.value(ref.id);
  let at = name;
  for (const key of path) {
    const isHolder = typeof value === "object" && value !== null;
    if (!isHolder || !Object.hasOwn(value as object, key)) {
      const names = isHolder ? Object.keys(value as object) : [];
      const known = names.slice(0, NAMES_SHOWN_MAX).join(", ");
      throw notFound(
        pathspec,
        `${at} has no property ${key}`,
        known === ""
          ? `${at} is no object.`
          : `It has: ${known}${names.length > NAMES_SHOWN_MAX ? ", …" : ""}.`,
      );
    }
    value = (value as Readonly<Record<string, unknown>>)[key];
    at = `${at}.${key}`;
  }
}

function notFound(pathspec: string, reason: string, hint: string): MfError {
  return new MfError("PATHSPEC_NOT_FOUND", { pathspec, reason, hint });
}
