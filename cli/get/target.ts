/** What `mf get` was asked for: one value, or the artifacts of a task or a step, each loaded when it is its turn. */
import { fileInfoOf, type FileInfo } from "../../src/artifact/file-brand.ts";
import type { ResolvedArtifact } from "../../src/client/control/read-side.ts";
import type { Records } from "../../src/client/records.ts";
import { loadSource, splitSource } from "../../src/client/sources.ts";
import { MfError } from "../../src/model/errors.ts";

export type Target =
  | { readonly k: "value"; readonly name: string; readonly value: unknown }
  | { readonly k: "artifacts"; readonly isOneTask: boolean; readonly artifacts: readonly Entry[] };

export interface Entry {
  readonly pathspec: string;
  readonly name: string;
  readonly index: readonly number[];
  load(): Promise<unknown>;
}

/** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS, RUN_NOT_FOUND, CONTENT_MISSING */
export async function findTarget(records: Records, pathspec: string): Promise<Target> {
  if (splitSource(pathspec) !== undefined)
    return { k: "value", name: "source", value: await loadSource(records, pathspec) };
  const resolved = await records.side.resolve(pathspec);
  if (resolved.kind === "content")
    return { k: "value", name: resolved.id, value: await records.value(resolved.id) };
  if (resolved.kind === "artifact") {
    const { artifact } = resolved;
    return { k: "value", name: artifact.name, value: await loadArtifact(records, artifact) };
  }
  const { artifacts } = resolved;
  await records.bring(artifacts.map((artifact) => artifact.ref.id));
  return {
    k: "artifacts",
    isOneTask: new Set(artifacts.map((artifact) => artifact.index.join(","))).size <= 1,
    artifacts: artifacts.map((artifact) => ({
      pathspec: artifact.pathspec,
      name: artifact.name,
      index: artifact.index,
      load: () => loadArtifact(records, artifact),
    })),
  };
}

/** Everything at once, by name or, of several tasks, by pathspec. */
export async function valueOf(target: Target): Promise<unknown> {
  if (target.k === "value") return target.value;
  const entries: [string, unknown][] = [];
  for (const artifact of target.artifacts)
    entries.push([target.isOneTask ? artifact.name : artifact.pathspec, await artifact.load()]);
  return Object.fromEntries(entries);
}

export function fileOf(value: unknown): FileInfo | undefined {
  return typeof value === "object" && value !== null ? fileInfoOf(value) : undefined;
}

/** The files of a list of nothing else; undefined where it is anything else. */
export function filesOf(value: unknown): readonly FileInfo[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const files = value.map(fileOf).filter((file) => file !== undefined);
  return files.length === value.length ? files : undefined;
}

async function loadArtifact(records: Records, artifact: ResolvedArtifact): Promise<unknown> {
  let value = await records.value(artifact.ref.id);
  for (const key of artifact.path) {
    const holder = typeof value === "object" && value !== null ? value : {};
    const next: unknown =
      holder instanceof Map
        ? holder.get(key)
        : (Object.getOwnPropertyDescriptor(holder, key)?.value as unknown);
    if (next === undefined) {
      throw new MfError("PATHSPEC_NOT_FOUND", {
        pathspec: artifact.pathspec,
        reason: `it has no property "${key}"`,
        hint: `mf get ${artifact.pathspec} prints all of it.`,
      });
    }
    value = next;
  }
  return value;
}
