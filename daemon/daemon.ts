/**
 * The composition root: opens what a daemon is made of, in order, and closes it in reverse. This one has identity, admission and the
 * control socket; what needs other peers answers NOT_AVAILABLE.
 */
import process from "node:process";
import { startControlServer } from "../src/client/control/control-server.ts";
import type { DaemonSide, DaemonStatus } from "../src/client/control/daemon-side.ts";
import { localReadSide } from "../src/client/control/local-read-side.ts";
import type { Clock } from "../src/env/clock.ts";
import type { Logger } from "../src/env/logger.ts";
import type { Random } from "../src/env/random.ts";
import { MfError } from "../src/model/errors.ts";
import { openStore } from "../src/store/open-store.ts";
import type { Store } from "../src/store/ports.ts";
import { openIdentity } from "./admission/identity.ts";
import type { MeshAdmission } from "./admission/mesh-admission.ts";
import { openMesh } from "./admission/open-mesh.ts";
import type { DaemonOptions } from "./config/daemon-options.ts";
import { writeRemembered } from "./config/remembered.ts";

/** The answer to `mfd stop` leaves before its socket closes, ms. */
const STOP_ANSWER_MS = 20;

export interface DaemonEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly version: string;
}

export interface Daemon {
  readonly status: () => Promise<DaemonStatus>;
  /** Resolves when it has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** @throws MfError STORE_IN_USE and whatever its parts refuse; nothing stays open then */
export async function createDaemon(options: DaemonOptions, env: DaemonEnv): Promise<Daemon> {
  const { home, name } = options;
  const store = await openStore(home, env);
  try {
    const { identity } = openIdentity(home, env.random);
    const dial = (): never => missing("Joining over the network");
    const { join } = options;
    const admission = await openMesh(
      { ...env, identity, dial },
      { home, name, ...(join === undefined ? {} : { join }) },
    );
    writeRemembered(home, { name });
    return await serve({ options, env, store, admission });
  } catch (error) {
    await store.close();
    throw error;
  }
}

interface Parts {
  readonly options: DaemonOptions;
  readonly env: DaemonEnv;
  readonly store: Store;
  readonly admission: MeshAdmission;
}

async function serve(parts: Parts): Promise<Daemon> {
  const { options, env, store, admission } = parts;
  const startedAt = env.clock.now();
  const status = (): Promise<DaemonStatus> => statusOf(parts, startedAt);
  let resolveStopped: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    resolveStopped = resolve;
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      admission.stop();
      await control.close();
      await store.close();
      resolveStopped();
    })();
    return stopping;
  };
  const daemonSide = sideOf(parts, {
    status,
    // The answer leaves before the socket closes.
    stop: () => void env.clock.after(STOP_ANSWER_MS, () => void stop()),
  });
  const control = await startControlServer(options.home, { daemonSide, logger: env.logger });
  admission.start();
  return { status, stopped, stop };
}

async function statusOf(parts: Parts, startedAt: number): Promise<DaemonStatus> {
  const { options, env, store, admission } = parts;
  const { bytes, freeBytes } = await store.stats();
  return {
    pid: process.pid,
    name: options.name,
    id: admission.self,
    listen: [],
    peers: 1,
    runs: 0,
    store: { bytes, freeBytes, state: "rw" },
    version: env.version,
    mesh: admission.mesh,
    roles: admission.roles.filter((role) => options.roles.includes(role)),
    startedAt,
    isDraining: false,
  };
}

function sideOf(
  { store, admission, options }: Parts,
  life: { readonly status: () => Promise<DaemonStatus>; readonly stop: () => void },
): DaemonSide {
  return {
    ...localReadSide(store),
    daemonStatus: life.status,
    peers: async () => missing("A list of peers"),
    unanswered: async () => [],
    submit: async () => missing("`mf submit`"),
    putFile: (path) => store.putFile(path),
    watch: async () => missing("`mf watch`"),
    cancel: async () => missing("`mf cancel`"),
    logs: async () => missing("`mf logs` of a mesh"),
    bring: async () => missing("Content of other peers"),
    invite: async (request) => admission.invite(options.listen.map(multiaddrOf), request),
    revoke: async (peer) => admission.revoke(peer),
    drain: async () => undefined,
    stop: async () => life.stop(),
  };
}

function multiaddrOf(hostAndPort: string): string {
  const at = hostAndPort.lastIndexOf(":");
  return `/ip4/${hostAndPort.slice(0, at)}/tcp/${hostAndPort.slice(at + 1)}`;
}

function missing(what: string): never {
  throw new MfError("NOT_AVAILABLE", { what, hint: "Use `mf run` on one machine." });
}
