/** What the whole mesh knows, as one ReadSide: asked of every alive peer, each with a deadline, and put together here. */
import type { Emit } from "../../src/client/control/control-protocol.ts";
import type { LogLine, LogsRequest, WatchEvent } from "../../src/client/control/daemon-side.ts";
import { resolvedData } from "../../src/client/control/local-read-side.ts";
import type { ReadSide } from "../../src/client/control/read-side.ts";
import { hasEnded } from "../../src/client/run-result.ts";
import type { RunStatus } from "../../src/client/runs.ts";
import type { RunResult } from "../../src/engine/run-api.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { Store } from "../../src/store/ports.ts";
import { askCancel, askStatus } from "../../src/wire/catalog-protocol.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { CatalogAnswers } from "./catalog-answers.ts";
import { OWNER_HOPS_MAX } from "./catalog-limits.ts";
import type { LiveRuns, OwnerRef } from "./live-runs.ts";
import { streamLogs } from "./mesh-logs.ts";
import { factsInMesh, journalInMesh, reachableInMesh } from "./mesh-records.ts";
import { resolveInMesh } from "./mesh-resolve.ts";
import { versionsInMesh } from "./mesh-versions.ts";
import { PeerAsker } from "./peer-asker.ts";
import { RunFinder } from "./run-finder.ts";
import { watchRun } from "./watch-service.ts";

export interface CatalogDeps {
  readonly transport: Pick<Transport, "request" | "handle">;
  readonly directory: PeerDirectory;
  readonly exchange: Pick<ContentExchange, "holders">;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly selfName: string;
  readonly live: LiveRuns;
  /** Who owns a run, as far as this peer knows without asking. */
  readonly ownerOf: (run: RunRef) => OwnerRef | undefined;
}

export interface Catalog extends Omit<ReadSide, "signers"> {
  /** From now to the end of the run, whoever owns it. @throws MfError RUN_NOT_FOUND, INTERRUPTED */
  watch(run: string, onEvent: Emit<WatchEvent>, signal: AbortSignal): Promise<RunResult>;
  /** Resolves once the owner has been told, or the run has ended. @throws MfError RUN_NOT_FOUND, PEER_UNREACHABLE */
  cancel(run: string): Promise<void>;
  logs(request: LogsRequest, onEvent: Emit<readonly LogLine[]>, signal: AbortSignal): Promise<void>;
  /** Names of alive peers that did not answer the last question to all. */
  unanswered(): Promise<readonly string[]>;
  close(): void;
}

/** Serves others from now on. */
export function createCatalog(deps: CatalogDeps): Catalog {
  const { transport, directory, store, clock, logger, selfName, live, ownerOf } = deps;
  const answers = new CatalogAnswers({ store, live, ownerOf, clock, logger, selfName });
  answers.serve(transport);
  const asker = new PeerAsker({
    transport,
    directory,
    logger,
    selfName,
    answerHere: (type, query) => answers.answer(type, query),
  });
  const finder = new RunFinder(asker, store);
  const refOf = (text: string): Promise<RunRef> =>
    finder.refOf(text, async (run) => (await store.getRun(run)) !== undefined);
  return {
    runs: (flow) => finder.runs(flow),
    run: (run) => finder.find(run),
    status: async (run) => statusOf(asker, finder, await refOf(run)),
    versions: (query) =>
      versionsInMesh({ asker, finder, store, exchange: deps.exchange }, query ?? {}),
    resolve: async (pathspec) =>
      resolvedData(pathspec, await resolveInMesh({ asker, finder, store, live }, pathspec)),
    async packageId(text) {
      const run = await refOf(text);
      const told = await finder.told(run);
      const packageId = told.find((entry) => entry.packageId !== undefined)?.packageId;
      if (packageId === undefined) throw new MfError("RUN_NOT_FOUND", { run: text });
      return packageId;
    },
    journal: async (run) => journalInMesh({ asker, finder, store }, await finder.refOfAny(run)),
    facts: (refs) => factsInMesh({ asker, store }, refs),
    marks: () => store.marks(),
    locate: (ids) => store.locate(ids),
    reachable: (ids) => reachableInMesh({ exchange: deps.exchange, store }, ids),
    async watch(text, onEvent, signal) {
      const run = await refOf(text);
      return watchRun({ asker, finder, clock, ownerOf }, { run, onEvent, signal });
    },
    cancel: async (text) => cancelRun({ asker, finder, ownerOf }, await refOf(text)),
    async logs({ run: text, ...rest }, onEvent, signal) {
      const run = await refOf(text);
      const hasRunEnded = async (): Promise<boolean> => {
        const [best] = await finder.told(run);
        return best !== undefined && hasEnded(best.summary);
      };
      const reader = { asker, clock, hasEnded: hasRunEnded };
      await streamLogs(reader, { ...rest, run, onEvent, signal });
    },
    unanswered: async () => asker.unanswered,
    close: () => answers.close(),
  };
}

/** Of whoever knows most: the owner while it goes on, a holder of its journal after. */
async function statusOf(asker: PeerAsker, finder: RunFinder, run: RunRef): Promise<RunStatus> {
  for (const { peer } of await finder.told(run)) {
    const answer = await asker.one(peer, askStatus, { run });
    if (answer?.status !== undefined && answer.status.run === runText(run)) return answer.status;
  }
  throw new MfError("RUN_NOT_FOUND", { run: runText(run) });
}

interface CancelDeps {
  readonly asker: PeerAsker;
  readonly finder: RunFinder;
  readonly ownerOf: CatalogDeps["ownerOf"];
}

async function cancelRun({ asker, finder, ownerOf }: CancelDeps, run: RunRef): Promise<void> {
  let owner = ownerOf(run) ?? (await finder.locate(run));
  for (let hops = 0; hops <= OWNER_HOPS_MAX && owner !== undefined; hops++) {
    const asked: OwnerRef = owner;
    const answer = await asker.one(asked.peer, askCancel, { run });
    if (answer?.isDone === true) return;
    const hint = answer?.owner;
    owner = hint !== undefined && hint.peer !== asked.peer ? hint : await finder.locate(run);
  }
  throw new MfError("PEER_UNREACHABLE", {
    peer: owner?.name ?? `that owns ${runText(run)}`,
    reason: "no peer that answers owns the run now",
  });
}
