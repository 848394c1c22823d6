/**
 * What the reading commands ask: one interface, whether this process holds the store or another one does. Everything that
 * crosses it is data (JSON and bytes), so the remote form is a table of these names over a socket. Contents are not sent:
 * `locate` says where they are in the store's segment files, and the reader verifies them itself.
 */
import type { ArtifactRef } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import type { ContentLocation } from "../../store/ports.ts";

export interface ReadSide {
  /** Newest first. */
  runs(flow?: string): Promise<readonly RunSummary[]>;
  /** `run` is `flow/id`, with `latest` or a unique prefix for the id. @throws MfError RUN_NOT_FOUND, PATHSPEC_AMBIGUOUS */
  run(run: string): Promise<RunSummary>;
  status(run: string): Promise<RunStatus>;
  /** Newest first; `prefix` is flow[/step[/artifact]]. */
  versions(prefix?: string): Promise<readonly VersionRow[]>;
  /** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS, RUN_NOT_FOUND */
  resolve(pathspec: string): Promise<ResolvedPathspec>;
  /** Content id of the FlowPackage that the run was started with. */
  packageId(run: string): Promise<Cid>;
  locate(ids: readonly Cid[]): Promise<readonly (ContentLocation | undefined)[]>;
}

/** The names that may be called from outside: nothing else of an object is reachable. */
export const READ_METHODS = [
  "runs",
  "run",
  "status",
  "versions",
  "resolve",
  "packageId",
  "locate",
] as const satisfies readonly (keyof ReadSide)[];

export type ReadMethod = (typeof READ_METHODS)[number];

/** `mf status --json`. */
export interface RunStatus {
  readonly run: string;
  readonly flow: string;
  readonly state: string;
  readonly owner: string;
  readonly sealed: boolean;
  readonly steps: readonly StepStatus[];
  readonly attempts: { readonly total: number; readonly lost: number; readonly failed: number };
}

export interface StepStatus {
  readonly name: string;
  readonly state: string;
  readonly tasks: {
    readonly total: number;
    readonly succeeded: number;
    readonly failed: number;
    readonly reused: number;
    readonly running: number;
  };
  readonly peers: Readonly<Record<string, number>>;
}

/** One row of `mf ls-versions --json`. */
export interface VersionRow {
  /** flow/step/name */
  readonly artifact: string;
  readonly id: string;
  readonly run: string;
  readonly at: number;
  readonly by: string;
  readonly bytes: number;
  readonly peers: readonly string[];
}

/** What a pathspec or `c:id` names. */
export type ResolvedPathspec =
  | { readonly kind: "content"; readonly id: Cid }
  | { readonly kind: "artifact"; readonly artifact: ResolvedArtifact }
  /** A task, or a step outside every foreach: its artifacts by name. A step inside one: one entry a task. */
  | { readonly kind: "artifacts"; readonly artifacts: readonly ResolvedArtifact[] };

export interface ResolvedArtifact {
  /** flow/run/step[i]/artifact */
  readonly pathspec: string;
  readonly name: string;
  readonly index: readonly number[];
  readonly ref: ArtifactRef;
  /** Leads to a property inside the artifact. */
  readonly path: readonly string[];
}
