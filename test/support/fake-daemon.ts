/** A daemon as its control socket shows it: every method answers something plain, a test replaces what it is about. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startControlServer } from "../../src/client/control/control-server.ts";
import type { DaemonSide, PeerRow } from "../../src/client/control/daemon-side.ts";
import { systemRandom } from "../../src/env/random.ts";
import { lockStore } from "../../src/store/level/store-lock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import type { RunProgress, RunResult } from "../../src/engine/run-api.ts";
import type { Cid, RunId } from "../../src/model/ids.ts";
import type { RunSummary } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";

export const RUN_REF = { flow: "demo", id: "k3j9x2m4ab" as RunId };
export const RUN = "demo/k3j9x2m4ab";

export const RESULT: RunResult = {
  run: RUN_REF,
  state: "succeeded",
  durationMs: 1234.4,
  tasks: { total: 3, succeeded: 3, failed: 0, reused: 1, executed: 2 },
  failures: [],
};

export const PROGRESS: RunProgress = {
  state: "running",
  elapsedMs: 10,
  steps: [
    {
      name: "load",
      state: "running",
      total: 3,
      running: 1,
      succeeded: 1,
      failed: 0,
      reused: 1,
      wallMs: 5,
    },
  ],
};

export const SUMMARY: RunSummary = {
  run: RUN_REF,
  state: "running",
  createdAt: 1_000,
  user: "ada",
  file: "demo.ts",
  bundleId: "b0",
  counts: RESULT.tasks,
  pid: 1,
};

export function peerRow(name: string, more: Partial<PeerRow> = {}): PeerRow {
  return {
    name,
    id: `12D3KooW${name}` as PeerId,
    self: false,
    state: "alive",
    cpus: 4,
    memBytes: 8 * 1024 ** 3,
    gpus: [],
    load: 0.25,
    slots: { total: 4, busy: 1 },
    version: "0.2.0",
    memFreeBytes: 4 * 1024 ** 3,
    diskFreeBytes: 100 * 1024 ** 3,
    latencyMs: 0.6,
    labels: {},
    roles: ["submit", "store", "work"],
    addresses: ["/ip4/127.0.0.1/tcp/4001"],
    isAccepting: true,
    ...more,
  };
}

export function fakeDaemon(more: Partial<DaemonSide> = {}): DaemonSide {
  return {
    runs: async () => [SUMMARY],
    run: async () => SUMMARY,
    status: async () => ({
      run: RUN,
      flow: "demo",
      state: "running",
      owner: "ada",
      sealed: false,
      steps: [
        {
          name: "load",
          state: "running",
          tasks: { total: 3, succeeded: 1, failed: 0, reused: 1, running: 1 },
          peers: { ada: 1, bob: 2 },
        },
      ],
      attempts: { total: 2, lost: 0, failed: 0 },
    }),
    versions: async () => ({ rows: [], more: false }),
    resolve: async () => ({ kind: "content", id: "bafk" as Cid }),
    journal: async () => [],
    facts: async (refs) => refs.map(() => undefined),
    marks: async () => [],
    reachable: async (ids) => ids.map(() => true),
    signers: async (peers) => peers.map((peer) => ({ peer, standing: "unknown" })),
    adopt: async () => undefined,
    mark: async () => [],
    collect: async () => ({ peers: [], unanswered: [] }),
    packageId: async () => "bafk" as Cid,
    locate: async (ids) => ids.map(() => undefined),
    daemonStatus: async () => ({
      pid: 7,
      name: "ada",
      id: "12D3KooWada" as PeerId,
      listen: [],
      peers: 2,
      runs: 1,
      store: { bytes: 1, freeBytes: 2, state: "rw" },
      version: "0.2.0",
      mesh: "m",
      roles: ["submit"],
      startedAt: 1,
      isDraining: false,
      loopDelayMs: 1,
      network: {
        bytesSent: 0,
        bytesReceived: 0,
        contentBytesSent: 0,
        contentBytesReceived: 0,
      },
    }),
    peers: async () => [peerRow("ada", { self: true }), peerRow("bob")],
    unanswered: async () => [],
    prepare: async () => undefined,
    submit: async () => ({ run: RUN, owner: "ada", copies: 2 }),
    putFile: async () => ({ id: "bafk" as Cid, bytes: 3 }),
    watch: async () => RESULT,
    cancel: async () => undefined,
    logs: async () => undefined,
    bring: async () => undefined,
    invite: async () => ({ ticket: "mf1-x", expiresAt: 5 }),
    revoke: async () => ({ peer: "12D3KooWbob" as PeerId, name: "bob" }),
    drain: async () => undefined,
    stop: async () => undefined,
    ...more,
  };
}

export interface FakeDaemonPlace {
  readonly home: string;
  /** Ends as a process does, and another one serves the same home. */
  restart(side: DaemonSide): Promise<FakeDaemonPlace>;
  close(): Promise<void>;
}

/** Serves it on the control socket of a temporary home. */
export async function serveFakeDaemon(
  side: DaemonSide,
  home = mkdtempSync(join(tmpdir(), "mf-fake-daemon-")),
): Promise<FakeDaemonPlace> {
  const server = await startControlServer(home, { daemonSide: side, logger: silentLogger });
  // What a daemon holds, so that no command opens the store itself.
  const lock = lockStore(home, systemRandom);
  return {
    home,
    async restart(next) {
      lock.release();
      await server.close();
      return serveFakeDaemon(next, home);
    },
    async close() {
      lock.release();
      await server.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Resolves when a test says so. */
export function deferred<T = void>(): {
  readonly promise: Promise<T>;
  resolve(value: T): void;
} {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}

/** Ends a stream as every DaemonSide does when its signal aborts. */
export function untilAborted(signal: AbortSignal, error: Error): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(error);
    signal.addEventListener("abort", () => reject(error), { once: true });
  });
}
