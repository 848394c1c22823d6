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
import type { ReadSide } from "../../src/client/control/read-side.ts";
import type { FlowPackage } from "../../src/code/flow-package.ts";
import type { RunHandle, RunRequest, RunResult } from "../../src/engine/run-api.ts";
import { runText } from "../../src/model/ids.ts";
import { checkTag } from "../../src/model/mark.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";

/** What daemon/catalog offers. */
export interface CatalogPort extends ReadSide {
  watch(run: string, onEvent: Emit<WatchEvent>, signal: AbortSignal): Promise<RunResult>;
  cancel(run: string): Promise<void>;
  logs(request: LogsRequest, onEvent: Emit<readonly LogLine[]>, signal: AbortSignal): Promise<void>;
  unanswered(): Promise<readonly string[]>;
}

/** As of a finished output (design §9), this peer's included. */
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
    versions: (prefix) => catalog.versions(prefix),
    resolve: (pathspec) => catalog.resolve(pathspec),
    journal: (run) => catalog.journal(run),
    facts: (refs) => catalog.facts(refs),
    marks: () => catalog.marks(),
    mark: (changes) => parts.mark(changes),
    packageId: (run) => catalog.packageId(run),
    locate: (ids) => catalog.locate(ids),
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
    async putFile(path) {
      const put = await store.putFile(path);
      // The run outlives its submitter, and may be repeated when that is away: so must the files it was given.
      exchange.spread([put.id], FILE_COPIES);
      return put;
    },
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
  { ownership, mark, name }: DaemonSideParts,
  { flowPackage, params, options, tags = [], ...request }: SubmitRequest,
): Promise<SubmitAnswer> {
  const values = Object.entries(params).map(
    ([param, { data, text }]) => [param, { id: cidOf("messagepack", data), data, text }] as const,
  );
  for (const tag of tags) checkTag(tag);
  const { handle, copies } = await ownership.submit(flowPackage, {
    ...options,
    ...request,
    params: Object.fromEntries(values),
  });
  const run = runText(handle.run);
  const { user } = request;
  if (tags.length > 0)
    await mark(tags.map((tag) => ({ kind: "tag", on: run, name: tag, value: "", user })));
  return { run, owner: name, copies };
}
