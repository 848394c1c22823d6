/**
 * Collection in a mesh: each peer frees its own store, by one algorithm (src/client/collection), when somebody asks, some minutes
 * after it has learnt of removals, and once a day. Who asks is told what each peer freed.
 */
import { collect, type CollectReport } from "../../src/client/collection/collect.ts";
import { filesIn } from "../../src/client/collection/file-references.ts";
import type { DaemonSide } from "../../src/client/control/daemon-side.ts";
import { delay, type Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Fact, FactRef } from "../../src/model/fact.ts";
import type { Cid } from "../../src/model/ids.ts";
import { SPARED_MS, type Store } from "../../src/store/ports.ts";
import {
  askFiles,
  askGone,
  askNamedFacts,
  askSweep,
  FACTS_BYTES_MAX,
  FILES_ANSWER_MAX,
  GONE_PAGE_MAX,
} from "../../src/wire/collection-protocol.ts";
import { peerName, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import {
  ASK_SWEEP_MS_MAX,
  COLLECT_INTERVAL_MS,
  LOOK_INTERVAL_MS,
  LOOK_SPREAD,
  SETTLE_MS,
  START_MS_MAX,
  SWEEPS_WAITING_MAX,
} from "./collection-limits.ts";
import { MeshAsker } from "./mesh-asker.ts";
import { learnRemovals, meshRoots, runTexts, type TakesMarks } from "./mesh-roots.ts";

export interface CollectionDeps {
  readonly transport: Pick<Transport, "request" | "handle">;
  readonly directory: PeerDirectory;
  /** This daemon's own: reading from it brings nothing. */
  readonly store: Store;
  readonly marks: TakesMarks;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly selfName: string;
}

export interface Collection {
  readonly collect: DaemonSide["collect"];
  /** From now on also on its own. Learns first what was removed while this peer was away. */
  start(): Promise<void>;
  close(): void;
}

interface SweepRequest {
  readonly isDryRun: boolean;
  readonly alsoRemoved: readonly string[];
}

/** Answers others from now on. */
export function createCollection(deps: CollectionDeps): Collection {
  return new CollectionService(deps);
}

class CollectionService implements Collection {
  readonly #deps: CollectionDeps;
  readonly #openedAt: number;
  readonly #stop = new AbortController();
  #sweeping: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #cancel: () => void = () => undefined;
  #sweptAt: number;
  /** Removals that the last sweep of all knew. */
  #sweptGone: string | undefined;

  constructor(deps: CollectionDeps) {
    this.#deps = deps;
    this.#openedAt = deps.clock.monotonic();
    this.#sweptAt = this.#openedAt;
    const { transport } = deps;
    transport.handle(askGone, (_, { from }) => this.#gone(from));
    transport.handle(askNamedFacts, (_, { refs }) => this.#facts(refs));
    transport.handle(askFiles, (_, { ids }) => this.#files(ids));
    transport.handle(askSweep, (_, query) => this.#sweepHere(query));
  }

  async start(): Promise<void> {
    const { store, marks, clock, logger } = this.#deps;
    const learnt = learnRemovals(store, marks, this.#asker()).catch((error: unknown) =>
      logger.warn("collection.unlearnt", { reason: String(error) }),
    );
    await Promise.race([learnt, delay(clock, START_MS_MAX, this.#stop.signal)]);
    this.#sweptGone = await this.#goneNow();
    this.#lookLater();
  }

  close(): void {
    this.#stop.abort();
    this.#cancel();
  }

  readonly collect: DaemonSide["collect"] = async (request, onEvent, signal) => {
    const { directory, selfName } = this.#deps;
    const asker = this.#asker();
    const query = { ...request, alsoRemoved: [...request.alsoRemoved] };
    const here = this.#sweepHere(request).then(async (report) => {
      const collected = { peer: selfName, ...report };
      await onEvent(collected);
      return collected;
    });
    const elsewhere = asker.others.map(async (id) => {
      const report = await asker.one(id, askSweep, query, ASK_SWEEP_MS_MAX);
      if (report === undefined) return [];
      const collected = { peer: peerName(directory.get(id), id), ...report };
      await onEvent(collected);
      return [collected];
    });
    const all = Promise.all([here, ...elsewhere]);
    const peers = (await untilAborted(all, signal)).flat();
    return { peers, unanswered: asker.missing };
  };

  async #gone(from: number): Promise<{ marks: ReturnType<typeof goneOf>; next?: number }> {
    const marks = goneOf(await this.#deps.store.marks());
    const page = marks.slice(from, from + GONE_PAGE_MAX);
    const next = from + page.length;
    return next < marks.length ? { marks: page, next } : { marks: page };
  }

  async #facts(refs: readonly FactRef[]): Promise<{ facts: Fact[] }> {
    const facts: Fact[] = [];
    let bytes = 0;
    for (const fact of await this.#deps.store.sweeper.results(refs)) {
      if (fact === undefined) continue;
      bytes += JSON.stringify(fact).length;
      if (facts.length > 0 && bytes > FACTS_BYTES_MAX) break;
      facts.push(fact);
    }
    return { facts };
  }

  async #files(ids: readonly Cid[]): Promise<{ found: { id: Cid; files: Cid[] }[] }> {
    const found: { id: Cid; files: Cid[] }[] = [];
    let count = 0;
    for (const id of ids) {
      const files = await filesIn(this.#deps.store, id);
      if (files === undefined) continue;
      count += files.length;
      // Half an answer would have somebody's file taken for nobody's.
      if (count > FILES_ANSWER_MAX)
        throw new MfError("NOT_AVAILABLE", {
          what: `${count} files of one answer`,
          hint: "Ask for fewer values at once.",
        });
      found.push({ id, files: [...files] });
    }
    return { found };
  }

  /** One after the other. @throws MfError NOT_AVAILABLE where too many wait */
  async #sweepHere(request: SweepRequest): Promise<CollectReport> {
    if (this.#waiting >= SWEEPS_WAITING_MAX)
      throw new MfError("NOT_AVAILABLE", {
        what: "another collection",
        hint: "Wait for those that go on.",
      });
    this.#waiting++;
    const sweep = this.#sweeping.then(() => this.#sweepNow(request)).finally(() => this.#waiting--);
    this.#sweeping = sweep.catch(() => undefined);
    return sweep;
  }

  async #sweepNow({ isDryRun, alsoRemoved }: SweepRequest): Promise<CollectReport> {
    const { store, marks, clock, logger } = this.#deps;
    const began = clock.monotonic();
    const report = await collect(
      store,
      async () => {
        if (!isDryRun) await delay(clock, SETTLE_MS, this.#stop.signal);
        if (this.#stop.signal.aborted) throw new MfError("INTERRUPTED");
        return meshRoots({
          store,
          marks,
          asker: this.#asker(),
          now: clock.now(),
          isSettled: began - this.#openedAt > SPARED_MS,
          alsoRemoved: isDryRun ? runTexts(alsoRemoved) : new Set(),
        });
      },
      { isDryRun, isShared: true, now: clock.now() },
    );
    if (!isDryRun) {
      this.#sweptAt = clock.monotonic();
      this.#sweptGone = await this.#goneNow();
      logger.info("collection.swept", { ...report, ms: clock.monotonic() - began });
    }
    return report;
  }

  #lookLater(): void {
    const { clock, random } = this.#deps;
    const ms = LOOK_INTERVAL_MS * (1 - LOOK_SPREAD * random.next());
    this.#cancel = clock.after(ms, () => void this.#look(), { unref: true });
  }

  /** A failure is the next look's to put right. */
  async #look(): Promise<void> {
    const { store, marks, clock, logger } = this.#deps;
    try {
      await learnRemovals(store, marks, this.#asker());
      const isNew = (await this.#goneNow()) !== this.#sweptGone;
      if (isNew || clock.monotonic() - this.#sweptAt >= COLLECT_INTERVAL_MS)
        await this.#sweepHere({ isDryRun: false, alsoRemoved: [] });
    } catch (error) {
      logger.warn("collection.failed", { reason: String(error) });
    }
    if (!this.#stop.signal.aborted) this.#lookLater();
  }

  /** Changes with every removal, also one that is taken back. */
  async #goneNow(): Promise<string> {
    const marks = goneOf(await this.#deps.store.marks());
    return `${marks.length} ${marks.reduce((latest, { at }) => Math.max(latest, at), 0)}`;
  }

  #asker(): MeshAsker {
    return new MeshAsker(this.#deps);
  }
}

function goneOf(marks: Awaited<ReturnType<Store["marks"]>>): typeof marks {
  return marks.filter(({ kind }) => kind === "gone");
}

/** What was begun goes on; only the asker is let go. @throws MfError INTERRUPTED */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new MfError("INTERRUPTED"));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
