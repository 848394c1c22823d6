/** What this daemon answers on its control socket: each question handed to the subsystem that knows. Thin on purpose. */
import { cidOf } from "../../src/artifact/cid.ts";
import { peerRowOf } from "./peer-row.ts";
import type { Emit } from "../../src/client/control/control-protocol.ts";
import type {
  DaemonSide,
  DaemonStatus,
  InviteRequest,
  LogLine,
  LogsRequest,
  SubmitAnswer,
  SubmitRequest,
  WatchEvent,
} from "../../src/client/control/daemon-side.ts";
import type { ReadSide, SignerStanding } from "../../src/client/control/read-side.ts";
import type { FlowPackage } from "../../src/code/flow-package.ts";
import type { RunHandle, RunRequest, RunResult } from "../../src/engine/run-api.ts";
import { runText } from "../../src/model/ids.ts";
import { checkGivenTag } from "../../src/model/run-tags.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";

/** What daemon/catalog offers. */
export interface CatalogPort extends Omit<ReadSide, "signers"> {
  watch(run: string, onEvent: Emit<WatchEvent>, signal: AbortSignal): Promise<RunResult>;
  cancel(run: string): Promise<void>;
  logs(request: LogsRequest, onEvent: Emit<readonly LogLine[]>, signal: AbortSignal): Promise<void>;
  unanswered(): Promise<readonly string[]>;
}

/** Of files that a run was given, this peer's among them: as of what its tasks make. */
const FILE_COPIES = 2;

export interface DaemonSideParts {
  readonly catalog: CatalogPort;
  readonly directory: PeerDirectory;
  readonly exchange: Pick<ContentExchange, "bring" | "spread">;
  readonly store: Pick<Store, "putFile">;
  /** daemon/ownership. */
  readonly ownership: {
    submit(
      flowPackage: FlowPackage,
      request: RunRequest,
    ): Promise<{ readonly handle: Pick<RunHandle, "run">; readonly copies: number }>;
  };
  /** Marks of runs and contents, which all peers share. */
  readonly mark: DaemonSide["mark"];
  /** daemon/collection. */
  readonly collect: DaemonSide["collect"];
  /** Into this peer's own store. */
  readonly adopt: DaemonSide["adopt"];
  /** Starts what a run needs and an idle daemon does not have. */
  readonly warm: () => void;
  /** This peer's. */
  readonly name: string;
  /** Where joiners reach this peer. */
  readonly addresses: () => readonly string[];
  readonly admission: {
    invite(
      addresses: readonly string[],
      request: InviteRequest,
    ): { readonly ticket: string; readonly expiresAt: number };
    revoke(peer: string): { readonly peer: PeerId; readonly name: string };
    standingOf(peer: PeerId): SignerStanding;
  };
  readonly status: () => Promise<DaemonStatus>;
  readonly drain: DaemonSide["drain"];
  readonly stop: DaemonSide["stop"];
}

export function createDaemonSide(parts: DaemonSideParts): DaemonSide {
  const { catalog, directory, exchange, store, admission } = parts;
  return {
    runs: (flow) => catalog.runs(flow),
    run: (run) => catalog.run(run),
    status: (run) => catalog.status(run),
    versions: (query) => catalog.versions(query),
    resolve: (pathspec) => catalog.resolve(pathspec),
    journal: (run) => catalog.journal(run),
    facts: (refs) => catalog.facts(refs),
    marks: () => catalog.marks(),
    signers: async (peers) => peers.map((peer) => admission.standingOf(peer)),
    mark: (changes) => parts.mark(changes),
    collect: (request, onEvent, signal) => parts.collect(request, onEvent, signal),
    packageId: (run) => catalog.packageId(run),
    locate: (ids) => catalog.locate(ids),
    reachable: (ids) => catalog.reachable(ids),
    watch: (run, onEvent, signal) => catalog.watch(run, onEvent, signal),
    cancel: (run) => catalog.cancel(run),
    logs: (request, onEvent, signal) => catalog.logs(request, onEvent, signal),
    unanswered: () => catalog.unanswered(),
    daemonStatus: () => parts.status(),
    peers: async () =>
      directory
        .peers()
        .map(peerRowOf)
        .sort((a, b) => Number(b.self) - Number(a.self) || a.name.localeCompare(b.name)),
    prepare: async () => parts.warm(),
    submit: (request) => submit(parts, request),
    putFile: (path) => store.putFile(path),
    adopt: (part) => parts.adopt(part),
    async bring(ids, onEvent, signal) {
      await exchange.bring(ids, { signal, onProgress: (progress) => void onEvent(progress) });
      if (signal.aborted) throw new MfError("INTERRUPTED");
    },
    invite: async (request) => admission.invite(parts.addresses(), request),
    revoke: async (peer) => admission.revoke(peer),
    drain: (onEvent, signal) => parts.drain(onEvent, signal),
    stop: () => parts.stop(),
  };
}

/** The ids of parameters are those of the bytes that came, whatever the asker thinks. */
async function submit(
  { ownership, exchange, mark, name }: DaemonSideParts,
  { flowPackage, params, options, tags = [], contents = [], ...request }: SubmitRequest,
): Promise<SubmitAnswer> {
  const values = Object.entries(params).map(
    ([param, { data, text }]) => [param, { id: cidOf("messagepack", data), data, text }] as const,
  );
  for (const tag of tags) checkGivenTag(tag);
  const { handle, copies } = await ownership.submit(flowPackage, {
    ...options,
    ...request,
    params: Object.fromEntries(values),
  });
  if (contents.length > 0) exchange.spread(contents, FILE_COPIES);
  const run = runText(handle.run);
  const { user } = request;
  if (tags.length > 0)
    await mark(tags.map((tag) => ({ kind: "tag", on: run, name: tag, value: "", user })));
  return { run, owner: name, copies };
}
