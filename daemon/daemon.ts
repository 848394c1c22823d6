/**
 * The composition root of a daemon: opens its parts in order, solders each wire by hand, closes them in reverse. Read it from top to
 * bottom to learn what talks to what; what a part does is in its folder.
 */
import { startControlServer } from "../src/client/control/control-server.ts";
import type { DaemonStatus } from "../src/client/control/daemon-side.ts";
import { openStoreWhenFree } from "../src/client/open-when-free.ts";
import { closeInterruptedRuns } from "../src/client/runs.ts";
import type { Store } from "../src/store/ports.ts";
import { openAdmission, type Admitted } from "./compose/admitted.ts";
import { ClosingOrder } from "./compose/closing-order.ts";
import type { DaemonBase, DaemonEnv } from "./compose/daemon-base.ts";
import { daemonSideOf } from "./compose/control.ts";
import { openNetwork, type Network } from "./compose/network.ts";
import { openWork, type Work } from "./compose/work.ts";
import type { DaemonOptions } from "./config/daemon-options.ts";
import { KnownFacts } from "./sharing/known-facts.ts";

export interface Daemon {
  readonly status: () => Promise<DaemonStatus>;
  /** Resolves when it has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** A daemon is not started for a moment: longer than any command reads a store. */
const STORE_WAIT_MS = 10_000;
/** The answer to `mfd stop` leaves before its socket closes, ms. */
const STOP_ANSWER_MS = 20;

/** @throws MfError STORE_IN_USE, LISTEN_FAILED, TICKET_* and whatever else its parts refuse; nothing stays open then */
export async function createDaemon(options: DaemonOptions, env: DaemonEnv): Promise<Daemon> {
  const closing = new ClosingOrder(env.logger);
  try {
    return await compose({ options, env, closing });
  } catch (error) {
    await closing.closeAll();
    throw error;
  }
}

async function compose(base: DaemonBase): Promise<Daemon> {
  const { options, env, closing } = base;
  // The store's lock is the home's: from here on nobody else uses it.
  const opened = await openStoreWhenFree(options.home, env, { waitMs: STORE_WAIT_MS });
  closing.add("store", () => opened.close());
  const known = new KnownFacts();
  const store = known.watching(opened);
  // Runs of an `mf run` that was killed; those of a mesh go on below.
  await closeInterruptedRuns(store, { isAlive: () => false, now: env.clock.now() });
  const admitted = await openAdmission(base);
  const network = await openNetwork(base, admitted, store);
  const work = await openWork(base, network, { store, known, signer: admitted.identity });
  await network.begin();
  // What was removed while this daemon was away is not gone on with.
  await work.collection.start();
  await work.ownership.recover();
  return serve(base, { store, admitted, network, work });
}

interface Opened {
  readonly store: Store;
  readonly admitted: Admitted;
  readonly network: Network;
  readonly work: Work;
}

async function serve(base: DaemonBase, opened: Opened): Promise<Daemon> {
  const { options, env, closing } = base;
  const { network, work } = opened;
  let tellStopped: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    tellStopped = resolve;
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      work.refuseMore();
      await work.handOver();
      network.membership.leave("leave");
      await closing.closeAll();
      tellStopped();
    })();
    return stopping;
  };
  const daemonSide = daemonSideOf(base, opened, {
    stop: () => void env.clock.after(STOP_ANSWER_MS, () => void stop()),
  });
  const control = await startControlServer(options.home, { daemonSide, logger: env.logger });
  closing.add("control", () => control.close());
  opened.admitted.admission.subscribe((event) => {
    if (event.t === "clock-skewed") return;
    network.membership.forgetRevoked(event.peer);
    network.bulk.refuse(event.peer);
    if (event.t === "revoked" && opened.admitted.admission.isRevoked) void stop();
  });
  return { status: () => daemonSide.daemonStatus(), stopped, stop };
}
