/**
 * What the reading commands ask: one interface, whether this process holds the store or another one does. Everything that
 * crosses it is data (JSON and bytes), so the remote form is a table of these names over a socket. Contents are not sent:
 * `locate` says where they are in the store's segment files, and the reader verifies them itself.
 */
import type { Cid } from "../../model/ids.ts";
import type { Fact, FactRef } from "../../model/fact.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import type { Mark } from "../../model/mark.ts";
import type { PeerId } from "../../model/peer.ts";
import type { ContentLocation } from "../../store/ports.ts";
import type { ResolvedArtifact as ArtifactOfTask } from "../resolve-pathspec.ts";
import type { RunStatus } from "../runs.ts";
import type { VersionList } from "../versions/list-versions.ts";
import type { VersionsQuery } from "../versions/version-query.ts";

/** Facts of one question. */
export const FACTS_MAX = 4096;

export interface ReadSide {
  /** Newest first. */
  runs(flow?: string): Promise<readonly RunSummary[]>;
  /** `run` is `flow/id`, for the id also a unique prefix, `latest`, `@tag` or a time. @throws MfError RUN_NOT_FOUND, TAG_NOT_FOUND, PATHSPEC_AMBIGUOUS */
  run(run: string): Promise<RunSummary>;
  status(run: string): Promise<RunStatus>;
  /** Newest first. @throws MfError PATHSPEC_INVALID */
  versions(query?: VersionsQuery): Promise<VersionList>;
  /** @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS, RUN_NOT_FOUND */
  resolve(pathspec: string): Promise<ResolvedPathspec>;
  /** Everything that is known of a run, in order. @throws MfError RUN_NOT_FOUND, PATHSPEC_AMBIGUOUS */
  journal(run: string): Promise<readonly JournalEntry[]>;
  /** In the order asked, at most FACTS_MAX; undefined (null over the socket) where nobody has it. */
  facts(refs: readonly FactRef[]): Promise<readonly (Fact | undefined)[]>;
  /** Tags, notes, pins and removals: what counts for each, also what was taken off. */
  marks(): Promise<readonly Mark[]>;
  /** What this home knows of those who sign facts, in the order asked, at most SIGNERS_MAX. */
  signers(peers: readonly PeerId[]): Promise<readonly SignerStanding[]>;
  /** Content id of the FlowPackage that the run was started with. */
  packageId(run: string): Promise<Cid>;
  locate(ids: readonly Cid[]): Promise<readonly (ContentLocation | undefined)[]>;
  /** In the order asked: is a copy here, or with a peer that answers? Brings nothing. */
  reachable(ids: readonly Cid[]): Promise<readonly boolean[]>;
}

/** Signers of one question. */
export const SIGNERS_MAX = 4096;

export interface SignerStanding {
  readonly peer: PeerId;
  /** `self`: this home's own key. `member`: certified by the issuer of this home's mesh, `revoked` since. `unknown`: by nobody known here. */
  readonly standing: "self" | "member" | "revoked" | "unknown";
  /** As its certificate says. */
  readonly name?: string;
}

/** What a pathspec or `c:id` names. */
export type ResolvedPathspec =
  | { readonly kind: "content"; readonly id: Cid }
  | { readonly kind: "artifact"; readonly artifact: ResolvedArtifact }
  /** A task, or a step outside every foreach: its artifacts by name. A step inside one: one entry a task. */
  | { readonly kind: "artifacts"; readonly artifacts: readonly ResolvedArtifact[] };

export interface ResolvedArtifact extends Pick<
  ArtifactOfTask,
  "pathspec" | "index" | "ref" | "path"
> {
  readonly name: string;
}
