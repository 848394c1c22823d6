/**
 * Whoever answers for a home: its daemon, else the process that holds its store, else the store itself. It is held while a question is
 * asked and a moment longer, so that a script which reads runs keeps no `mf run` waiting, and ends by itself.
 */
import type { Clock } from "../../env/clock.ts";
import type { Logger } from "../../env/logger.ts";
import type { Random } from "../../env/random.ts";
import { isMfError, MfError } from "../../model/errors.ts";
import type { Store } from "../../store/ports.ts";
import { connectControl, connectDaemon } from "../control/control-client.ts";
import type { DaemonSide } from "../control/daemon-side.ts";
import { localReadSide } from "../control/local-read-side.ts";
import type { ReadSide } from "../control/read-side.ts";
import { openStoreWhenFree } from "../open-when-free.ts";
import { closeInterruptedRuns } from "../runs.ts";
import { writeMarks } from "../write-marks.ts";

export interface LeaseDeps {
  readonly home: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface OpenedSide {
  readonly readSide: ReadSide;
  readonly mark: DaemonSide["mark"];
  readonly daemon?: DaemonSide;
  close(): Promise<void>;
}

/** Kept open so long after the last question. */
export const LEASE_IDLE_MS = 200;

export class LeasedSide {
  /** Each question opens what answers it, where it is not open. */
  readonly side: ReadSide;
  readonly #open: () => Promise<OpenedSide>;
  readonly #clock: Clock;
  #opened: Promise<OpenedSide> | undefined;
  #closing: Promise<void> = Promise.resolve();
  #users = 0;
  #cancelIdle: (() => void) | undefined;
  #isClosed = false;

  constructor(clock: Clock, open: () => Promise<OpenedSide>) {
    this.#clock = clock;
    this.#open = open;
    const ask = <T>(question: (side: ReadSide) => Promise<T>): Promise<T> =>
      this.use(({ readSide }) => question(readSide));
    this.side = {
      runs: (flow) => ask((side) => side.runs(flow)),
      run: (run) => ask((side) => side.run(run)),
      status: (run) => ask((side) => side.status(run)),
      versions: (query) => ask((side) => side.versions(query)),
      resolve: (pathspec) => ask((side) => side.resolve(pathspec)),
      journal: (run) => ask((side) => side.journal(run)),
      facts: (refs) => ask((side) => side.facts(refs)),
      marks: () => ask((side) => side.marks()),
      signers: (peers) => ask((side) => side.signers(peers)),
      reachable: (ids) => ask((side) => side.reachable(ids)),
      packageId: (run) => ask((side) => side.packageId(run)),
      locate: (ids) => ask((side) => side.locate(ids)),
    };
  }

  /** Where a daemon ended, or the run that held the store, whoever answers now is asked again, once. */
  async use<T>(question: (opened: OpenedSide) => Promise<T>): Promise<T> {
    const asked = this.#current();
    try {
      return await this.#ask(asked, question);
    } catch (error) {
      if (!isMfError(error, "CONTROL_LOST") || this.#isClosed) throw error;
      // Others that asked the same may have found out before.
      if (this.#opened === asked) await this.#drop();
      return this.#ask(this.#current(), question);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#drop();
  }

  #current(): Promise<OpenedSide> {
    if (this.#isClosed)
      throw new MfError("NOT_AVAILABLE", {
        what: "A closed client",
        hint: "Open another: openClient().",
      });
    if (this.#opened !== undefined) return this.#opened;
    const opening = this.#closing.then(() => this.#open());
    this.#opened = opening;
    opening.catch(() => {
      if (this.#opened === opening) this.#opened = undefined;
    });
    return opening;
  }

  async #ask<T>(
    asked: Promise<OpenedSide>,
    question: (opened: OpenedSide) => Promise<T>,
  ): Promise<T> {
    this.#cancelIdle?.();
    this.#users++;
    try {
      return await question(await asked);
    } finally {
      this.#users--;
      if (this.#users === 0)
        this.#cancelIdle = this.#clock.after(LEASE_IDLE_MS, () => void this.#drop());
    }
  }

  async #drop(): Promise<void> {
    this.#cancelIdle?.();
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened !== undefined)
      // What was only read has nothing to lose by a close that fails.
      this.#closing = opened.then((side) => side.close()).catch(() => undefined);
    await this.#closing;
  }
}

/** @throws MfError STORE_IN_USE where who holds the store does not answer */
export async function openSide(deps: LeaseDeps): Promise<OpenedSide> {
  let asked: OpenedSide | undefined;
  const isServed = async (): Promise<boolean> => {
    asked = (await askDaemon(deps)) ?? (await askHolder(deps.home));
    return asked !== undefined;
  };
  try {
    return await sideOf(deps, await openStoreWhenFree(deps.home, deps, { isServed }));
  } catch (error) {
    if (asked !== undefined) return asked;
    throw error;
  }
}

async function sideOf({ clock }: LeaseDeps, store: Store): Promise<OpenedSide> {
  try {
    // Only the holder of the store's lock may run anything in it, so a run of any other process has ended.
    const isAlive = (pid: number): boolean => pid === process.pid;
    await closeInterruptedRuns(store, { isAlive, now: clock.now() });
  } catch (error) {
    await store.close();
    throw error;
  }
  return {
    readSide: localReadSide(store),
    mark: (changes) => writeMarks(store, changes, { now: clock.now() }),
    close: () => store.close(),
  };
}

async function askDaemon({ home, clock }: LeaseDeps): Promise<OpenedSide | undefined> {
  const connection = await connectDaemon(home, clock);
  if (connection === undefined) return undefined;
  const { side } = connection;
  return {
    readSide: { ...side, locate: (ids) => locateBrought(side, ids) },
    mark: (changes) => side.mark(changes),
    daemon: side,
    close: async () => connection.close(),
  };
}

/** Content that is not here comes from other peers first. */
async function locateBrought(
  side: DaemonSide,
  ids: Parameters<ReadSide["locate"]>[0],
): ReturnType<ReadSide["locate"]> {
  const found = await side.locate(ids);
  const missing = ids.filter((_, at) => found[at] === undefined);
  if (missing.length === 0) return found;
  await side.bring(missing, () => undefined, new AbortController().signal);
  return side.locate(ids);
}

async function askHolder(home: string): Promise<OpenedSide | undefined> {
  const connection = await connectControl(home);
  if (connection === undefined) return undefined;
  const { readSide, mark } = connection;
  return { readSide, mark, close: async () => connection.close() };
}
