/** How a new owner takes over what runs for a run at other peers, so that none of it is run again. */
import type { Logger } from "../../src/env/logger.ts";
import { isMfError, toErrorRecord } from "../../src/model/errors.ts";
import type { RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";
import { ADOPT, WHO_WORKS, type WorkingLease } from "../../src/wire/placement-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import type { PlacementEvent } from "./placement-events.ts";
import { ANSWER_MS_MAX } from "./placement-limits.ts";
import type { WorkerService } from "./worker-service.ts";

export interface RunAdoptionDeps {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  readonly logger: Logger;
  /** The new owner may itself have worked for the old one. */
  readonly worker: Pick<WorkerService, "whoWorks" | "adopt">;
  ballotOf(run: RunRef): number;
  accept(event: PlacementEvent): void;
}

/** What runs at a peer for a run, or waits there to be handed in. */
export interface PeerWork {
  readonly peer: PeerId;
  readonly leases: readonly WorkingLease[];
}

/** Tells every peer that we own the run now, and hears what of it they work on. Peers that do not answer are left out. */
export async function askWhoWorks(deps: RunAdoptionDeps, run: RunRef): Promise<PeerWork[]> {
  const { transport, directory, worker, ballotOf } = deps;
  const ballot = ballotOf(run);
  const others = directory.peers().filter(({ isSelf, state }) => !isSelf && state === "alive");
  const answers = await Promise.all(
    others.map(async ({ id }): Promise<PeerWork[]> => {
      try {
        const options = { timeoutMs: ANSWER_MS_MAX };
        const { leases } = await transport.request(id, WHO_WORKS, { run, ballot }, options);
        return leases.length === 0 ? [] : [{ peer: id, leases }];
      } catch (error) {
        if (isMfError(error, "PEER_FENCED")) throw error;
        return [];
      }
    }),
  );
  const here = worker.whoWorks({ run, ballot });
  return here.length === 0
    ? answers.flat()
    : [{ peer: directory.self, leases: here }, ...answers.flat()];
}

export async function adoptLeases(
  deps: RunAdoptionDeps,
  run: RunRef,
  working: readonly PeerWork[],
): Promise<void> {
  const { transport, directory, worker, logger, ballotOf, accept } = deps;
  const ballot = ballotOf(run);
  await Promise.all(
    working.map(async ({ peer, leases }) => {
      // Known before it is asked for: the outcome may come before the answer.
      const adopted = leases.map(({ lease, memoKeys }) => ({ lease, peer, run, memoKeys }));
      accept({ t: "adopted", leases: adopted });
      const question = { run, ballot, leases: leases.map(({ lease }) => lease) };
      let there = new Set<string>();
      try {
        const options = { timeoutMs: ANSWER_MS_MAX };
        const answer =
          peer === directory.self
            ? { leases: worker.adopt(question, peer) }
            : await transport.request(peer, ADOPT, question, options);
        there = new Set(answer.leases);
      } catch (error) {
        logger.warn("adoption-failed", { peer, error: toErrorRecord(error).code });
      }
      for (const { lease } of leases) if (!there.has(lease)) accept({ t: "disowned", peer, lease });
    }),
  );
}
