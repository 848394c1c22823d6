/**
 * The composition root: the one place where the parts are chosen and put together. `openRunSide` is what `mf run` needs and holds the
 * store; `openReadSide` is what the reading commands need, from the store or from the process that holds it; `withDaemon` what the
 * commands of the mesh need.
 */
import { closeInterruptedRuns } from "../src/client/runs.ts";
import { writeMarks } from "../src/client/write-marks.ts";
import { connectControl, connectDaemon } from "../src/client/control/control-client.ts";
import { startControlServer } from "../src/client/control/control-server.ts";
import type { DaemonSide, MarkChange } from "../src/client/control/daemon-side.ts";
import { localReadSide } from "../src/client/control/local-read-side.ts";
import type { ReadSide } from "../src/client/control/read-side.ts";
import { adoptPart, type AdoptedPart } from "../src/client/pack/adopt.ts";
import { createEngine } from "../src/engine/engine.ts";
import { createHostPool } from "../src/engine/hosts/host-pool.ts";
import { machineCapacity } from "../src/engine/machine-capacity.ts";
import type { Engine, RunProgress } from "../src/engine/run-api.ts";
import { MfError } from "../src/model/errors.ts";
import { runText, type RunRef } from "../src/model/ids.ts";
import { openStoreWhenFree } from "../src/client/open-when-free.ts";
import { layoutOf } from "../src/store/level/store-layout.ts";
import type { Store } from "../src/store/ports.ts";
import { openSigner } from "../src/trust/identity-key.ts";
import { bringingSide } from "./bringing-side.ts";
import type { CommandContext } from "./command-context.ts";
import { packageVersion } from "./package-root.ts";

/** The name of the peer that `mf run` is without a daemon. */
export const LONE_PEER = "local";

export interface RunSide {
  readonly engine: Engine;
  readonly store: Store;
  readonly mark: DaemonSide["mark"];
  readonly readSide: ReadSide;
  close(): Promise<void>;
}

export interface OpenedReadSide {
  /** Where a daemon holds the store, content that is not here is brought before it is located. */
  readonly readSide: ReadSide;
  readonly mark: DaemonSide["mark"];
  readonly daemon?: DaemonSide;
  /** Where this process holds the store. */
  readonly store?: Store;
  /** Where another process does: what opening it was refused with. */
  readonly inUse?: unknown;
  close(): Promise<void>;
}

/** For commands that change something: in this process's store, or through the daemon that holds it. */
export type HomeSide = Pick<OpenedReadSide, "readSide"> &
  ({ readonly store: Store } | { readonly daemon: DaemonSide });

/** @throws MfError STORE_IN_USE where another run goes on in the same home */
export async function openRunSide(
  context: CommandContext,
  options: { maxWorkers?: number },
): Promise<RunSide> {
  const store = await openStoreWhenFree(context.home, context);
  try {
    await closeInterruptedRuns(store, { isAlive: isThisProcess, now: context.clock.now() });
    const { clock, random, logger, home } = context;
    const capacity = machineCapacity();
    const hosts = createHostPool({
      clock,
      logger,
      home,
      slots: options.maxWorkers ?? Math.floor(capacity.cores),
      locate: (ids) => store.locate(ids),
    });
    hosts.warm();
    const engine = createEngine({
      store,
      hosts,
      clock,
      random,
      logger,
      capacity,
      peer: LONE_PEER,
      version: packageVersion(),
      signer: openSigner(home, random),
    });
    const live = (run: RunRef): RunProgress | undefined =>
      engine
        .running()
        .find((handle) => runText(handle.run) === runText(run))
        ?.progress();
    const readSide = localReadSide(store, live);
    const mark = markerOf(context, store);
    const server = await startControlServer(home, { readSide, mark, logger });
    return {
      engine,
      store,
      mark,
      readSide,
      async close() {
        await server.close();
        await hosts.close();
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

export async function openReadSide(context: CommandContext): Promise<OpenedReadSide> {
  let remote: OpenedReadSide | undefined;
  const asked = async (): Promise<boolean> => {
    remote = (await askDaemon(context)) ?? (await askHolder(context));
    return remote !== undefined;
  };
  try {
    const store = await openStoreWhenFree(context.home, context, { isServed: asked });
    await closeInterruptedRuns(store, { isAlive: isThisProcess, now: context.clock.now() });
    const mark = markerOf(context, store);
    return { readSide: localReadSide(store), mark, store, close: () => store.close() };
  } catch (error) {
    if (remote !== undefined) return { ...remote, inUse: error };
    throw error;
  }
}

/** @throws MfError STORE_IN_USE where an `mf run` holds the store */
export async function withHome<T>(
  context: CommandContext,
  use: (side: HomeSide) => Promise<T>,
): Promise<T> {
  const opened = await openReadSide(context);
  try {
    const { readSide, store, daemon, inUse } = opened;
    if (daemon !== undefined) return await use({ readSide, daemon });
    if (store !== undefined) return await use({ readSide, store });
    throw inUse;
  } finally {
    await opened.close();
  }
}

async function askDaemon(context: CommandContext): Promise<OpenedReadSide | undefined> {
  const connection = await connectDaemon(context.home, context.clock);
  if (connection === undefined) return undefined;
  const { side } = connection;
  return {
    readSide: bringingSide(context, side),
    mark: side.mark,
    daemon: side,
    close: async () => connection.close(),
  };
}

async function askHolder(context: CommandContext): Promise<OpenedReadSide | undefined> {
  const connection = await connectControl(context.home);
  if (connection === undefined) return undefined;
  const { readSide, mark } = connection;
  return { readSide, mark, close: async () => connection.close() };
}

/** Into the store of this process; a daemon that opens it later tells its peers. */
function markerOf({ clock }: CommandContext, store: Store): DaemonSide["mark"] {
  return (changes) => writeMarks(store, changes, { now: clock.now() });
}

/** @throws MfError DAEMON_MISSING */
export async function withDaemon<T>(
  context: CommandContext,
  use: (side: DaemonSide) => Promise<T>,
): Promise<T> {
  const connection = await connectDaemon(context.home, context.clock);
  if (connection === undefined) throw new MfError("DAEMON_MISSING", { home: context.home });
  try {
    return await use(connection.side);
  } finally {
    connection.close();
  }
}

export interface ImportSide extends Pick<OpenedReadSide, "readSide" | "close"> {
  /** Whoever holds the store takes segments from there. */
  readonly scratchDir: string;
  adopt(part: AdoptedPart): Promise<void>;
  mark(changes: readonly MarkChange[]): Promise<void>;
}

/** @throws MfError STORE_IN_USE while an `mf run` holds the store */
export async function openImportSide(context: CommandContext): Promise<ImportSide> {
  const { scratch: scratchDir } = layoutOf(context.home);
  const connection = await connectDaemon(context.home, context.clock);
  if (connection !== undefined) {
    const { side } = connection;
    const adopt = (part: AdoptedPart): Promise<void> => side.adopt(part);
    const mark = async (changes: readonly MarkChange[]): Promise<void> => {
      await side.mark(changes);
    };
    return { readSide: side, scratchDir, adopt, mark, close: async () => connection.close() };
  }
  const store = await openStoreWhenFree(context.home, context);
  return {
    readSide: localReadSide(store),
    scratchDir,
    adopt: (part) => adoptPart(store, part),
    mark: async (changes) => {
      await writeMarks(store, changes, { now: context.clock.now() });
    },
    close: () => store.close(),
  };
}

/** For lists of the whole mesh: a peer that did not answer is told, for what it alone knows is missing. */
export async function warnUnanswered(
  context: CommandContext,
  daemon: DaemonSide | undefined,
): Promise<void> {
  const names = (await daemon?.unanswered()) ?? [];
  if (names.length > 0)
    context.terminal.err(
      `warning: no answer from ${names.join(", ")}; what only they know is not listed\n`,
    );
}

export async function withReadSide<T>(
  context: CommandContext,
  use: (readSide: ReadSide, daemon: DaemonSide | undefined) => Promise<T>,
): Promise<T> {
  return withMarks(context, ({ readSide, daemon }) => use(readSide, daemon));
}

/** For commands that write marks too: where a daemon runs through it, beside an `mf run` through that, else into the store. */
export async function withMarks<T>(
  context: CommandContext,
  use: (opened: OpenedReadSide) => Promise<T>,
): Promise<T> {
  const opened = await openReadSide(context);
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

/** Only the holder of the store's lock may run anything in it, so a run of any other process has ended. */
function isThisProcess(pid: number): boolean {
  return pid === process.pid;
}
