/**
 * The owner's side: takes batches from the engine, performs what placement-machine.ts orders, and gives the engine their outcomes. This
 * peer's own worker is asked as the others are, only without messages.
 */
import { rm } from "node:fs/promises";
import type { PlacedBatchOptions } from "../../src/engine/ports.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError, toErrorRecord } from "../../src/model/errors.ts";
import { runText, type Cid, type RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { defined } from "../../src/std/assert.ts";
import type { AttemptBatch, AttemptOutcome, BatchResult } from "../../src/task/host-messages.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";
import {
  CANCEL,
  GRANT,
  GRANTS_MAX,
  HAND_IN,
  NOTHING,
  PROBE,
  PROBED_INPUTS_MAX,
  PULL,
  RENEW,
  type Grant,
  type HandedIn,
  type Renewal,
} from "../../src/wire/placement-protocol.ts";
import type { Room } from "../../src/wire/placement-values.ts";
import type { Transport } from "../../src/wire/transport.ts";
import type { CodeShelf } from "./code-shelf.ts";
import { decodeOutcomes, encodeGrant, type GrantedBatch } from "./grant-codec.ts";
import { farInputs, holdersOf, missingBytes } from "./input-contents.ts";
import type { PeerBook } from "./peer-book.ts";
import type { GrantItem, PlacementEffect, PlacementEvent } from "./placement-events.ts";
import { ANSWER_MS_MAX, GRANT_MS_MAX, PART_BYTES_MAX, TICK_MS } from "./placement-limits.ts";
import { PlacementMachine } from "./placement-machine.ts";
import { checkedOutcomes } from "./signed-outcomes.ts";
import type { Whereabouts } from "./whereabouts.ts";
import type { Work } from "./work.ts";
import type { WorkerService } from "./worker-service.ts";

export interface OwnerServiceDeps {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  readonly book: PeerBook;
  readonly worker: WorkerService;
  readonly shelf: CodeShelf;
  readonly whereabouts: Whereabouts;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Peers vouch for what they hand in. */
  readonly mustSign: boolean;
  ballotOf(run: RunRef): number;
}

interface OpenTicket {
  readonly work: GrantedBatch;
  readonly options: PlacedBatchOptions;
  /** Under which the run was owned when the engine asked: a later owner's would let a former one pass for it. */
  readonly ballot: number;
  /** Inputs that do not travel with the batch. */
  readonly far: readonly Cid[];
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: unknown) => void;
  readonly unlisten: () => void;
}

const PREFIX_BYTES = 8;

export class OwnerService {
  readonly #deps: OwnerServiceDeps;
  readonly #machine: PlacementMachine;
  readonly #tickets = new Map<number, OpenTicket>();
  readonly #listening = new Map<
    AbortSignal,
    { readonly tickets: Set<number>; readonly cancel: () => void }
  >();
  #ticketCount = 0;
  #cancelTimer: () => void;
  #isClosed = false;

  constructor(deps: OwnerServiceDeps) {
    const { book, random, clock } = deps;
    this.#deps = deps;
    const leasePrefix = Buffer.from(random.bytes(PREFIX_BYTES)).toString("hex");
    this.#machine = new PlacementMachine(book, { draw: () => random.next(), leasePrefix });
    this.#cancelTimer = clock.after(TICK_MS, () => this.#tick(), { unref: true });
    this.#serve();
  }

  runBatch(batch: AttemptBatch, options: PlacedBatchOptions): Promise<BatchResult> {
    if (batch.attempts.length === 0) return Promise.resolve({ outcomes: [] });
    const id = this.#ticketCount++;
    const { origin, exclusive: isExclusive, signal } = options;
    const expected =
      origin.taskMs === undefined ? {} : { expectedMs: origin.taskMs * batch.attempts.length };
    const work = { batch, origin, isExclusive };
    const { shelf, whereabouts, directory } = this.#deps;
    const { self } = directory;
    shelf.offer(batch.code);
    return new Promise((resolve, reject) => {
      const unlisten = this.#listen(signal, id);
      const far = farInputs(batch);
      const ballot = this.#deps.ballotOf(origin.run);
      this.#tickets.set(id, { work, options, ballot, far, resolve, reject, unlisten });
      this.accept({
        t: "submitted",
        ticket: {
          id,
          run: origin.run,
          step: batch.step,
          memoKeys: origin.tasks.map(({ memoKey }) => memoKey),
          environment: `${batch.code.codeId} ${origin.env}`,
          demand: origin.demand,
          labels: origin.labels,
          isNative: batch.code.kind === "script" && batch.code.externals.length > 0,
          isExclusive,
          ...expected,
          ...(origin.taskMs === undefined ? {} : { taskMs: origin.taskMs }),
          missingBytes: missingBytes({ batch, far, whereabouts, self }),
        },
      });
      if (signal?.aborted === true) this.accept({ t: "cancel-asked", ticket: id });
    });
  }

  accept(event: PlacementEvent): void {
    if (this.#isClosed) return;
    for (const effect of this.#machine.accept(event, this.#deps.clock.monotonic()))
      this.#perform(effect);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    for (const { unlisten } of this.#tickets.values()) unlisten();
    this.#tickets.clear();
  }

  /** One listener a signal: a run has hundreds of batches under way. */
  #listen(signal: AbortSignal | undefined, id: number): () => void {
    if (signal === undefined) return () => undefined;
    let listening = this.#listening.get(signal);
    if (listening === undefined) {
      const tickets = new Set<number>();
      // Each that ends leaves the set.
      const cancel = (): void => {
        for (const ticket of Array.from(tickets)) this.accept({ t: "cancel-asked", ticket });
      };
      listening = { tickets, cancel };
      this.#listening.set(signal, listening);
      signal.addEventListener("abort", cancel, { once: true });
    }
    const { tickets, cancel } = listening;
    tickets.add(id);
    return () => {
      tickets.delete(id);
      if (tickets.size > 0) return;
      signal.removeEventListener("abort", cancel);
      this.#listening.delete(signal);
    };
  }

  #tick(): void {
    if (this.#isClosed) return;
    this.accept({ t: "tick" });
    this.#cancelTimer = this.#deps.clock.after(TICK_MS, () => this.#tick(), { unref: true });
  }

  #serve(): void {
    const { transport } = this.#deps;
    transport.handle(HAND_IN, async (from, message) => this.handedIn(from, message));
    transport.listen(PULL, (from, { room }) => this.accept({ t: "pulled", peer: from, room }));
    transport.listen(RENEW, (from, renewal) => this.#renewed(from, renewal));
  }

  handedIn(from: PeerId, message: HandedIn): { verdict: "taken" | "unknown" } {
    const { lease, isLast, isUnfit, room } = message;
    const size = this.#machine.sizeOf(from, lease);
    if (size === undefined)
      return { verdict: this.#machine.isOwnLease(lease) ? "taken" : "unknown" };
    let outcomes: AttemptOutcome[];
    try {
      const name = this.#deps.book.nameOf(from);
      const mustSign = this.#deps.mustSign;
      outcomes = decodeOutcomes(message.outcomes, size, { peer: from, name, mustSign });
    } catch (error) {
      this.#deps.logger.warn("outcomes-malformed", { peer: from, lease });
      this.accept({ t: "misbehaved", peer: from, lease });
      throw error;
    }
    const { whereabouts } = this.#deps;
    for (const { outputs } of outcomes)
      for (const { ref, data } of Object.values(outputs ?? {}))
        if (data === undefined) whereabouts.note(ref.id, from, ref.bytes);
    // Whoever ran it has brought its inputs.
    const ticket = this.#machine.ticketAt(from, lease);
    const far = ticket === undefined ? undefined : this.#tickets.get(ticket)?.far;
    for (const id of far ?? []) whereabouts.note(id, from);
    const handedIn = { lease, outcomes, isLast, isUnfit };
    this.accept({ t: "handed-in", peer: from, outcomes: handedIn, room });
    return { verdict: "taken" };
  }

  #renewed(from: PeerId, { leases, isWhole }: Renewal): void {
    for (const { lease, progress } of leases) {
      const ticket = this.#machine.ticketAt(from, lease);
      const open = ticket === undefined ? undefined : this.#tickets.get(ticket);
      for (const report of progress) open?.options.onProgress?.(report);
    }
    this.accept({
      t: "renewed",
      peer: from,
      leases: leases.map(({ lease }) => lease),
      isWhole,
    });
  }

  #perform(effect: PlacementEffect): void {
    switch (effect.t) {
      case "probe":
        return void this.#probe(effect);
      case "grant":
        if (effect.peer === this.#deps.directory.self) return this.#grantHere(effect.items);
        return this.#grant(effect.peer, effect.items);
      case "cancel":
        return this.#cancel(effect);
      case "nothing":
        if (effect.peer === this.#deps.directory.self)
          return this.#deps.worker.nothingFor(effect.peer);
        return this.#deps.transport.send(effect.peer, NOTHING, null);
      case "settle":
        return this.#settle(effect);
      case "fenced": {
        const open = this.#take(effect.ticket);
        if (open === undefined) return;
        const { run } = open.work.origin;
        const ballot = this.#deps.ballotOf(run);
        open.reject(new MfError("PEER_FENCED", { run: runText(run), ballot }));
        return;
      }
      case "discard":
        // It is swept with the other scratch files where this fails.
        return void rm(effect.scratchFile, { force: true }).catch(() => undefined);
    }
  }

  #settle({ ticket, result }: Extract<PlacementEffect, { t: "settle" }>): void {
    const open = this.#take(ticket);
    if (open === undefined) return;
    const { outcomes, refused } = checkedOutcomes(open.work, result.outcomes);
    for (const peer of refused) {
      this.#deps.logger.error("facts-refused", { peer, step: open.work.batch.step });
      queueMicrotask(() => this.accept({ t: "misbehaved", peer }));
    }
    open.resolve({ ...result, outcomes });
  }

  #take(id: number): OpenTicket | undefined {
    const open = this.#tickets.get(id);
    this.#tickets.delete(id);
    open?.unlisten();
    return open;
  }

  async #probe({ peer, ticket, need }: Extract<PlacementEffect, { t: "probe" }>): Promise<void> {
    const { transport, worker, whereabouts, directory } = this.#deps;
    const far = this.#tickets.get(ticket)?.far.slice(0, PROBED_INPUTS_MAX) ?? [];
    const { demand, isExclusive } = need;
    const question = { demand, isExclusive, inputs: far, isReserving: true };
    try {
      if (peer === directory.self) {
        await Promise.resolve();
        return this.accept({ t: "offered", peer, need, offer: worker.offer(peer, need, true) });
      }
      const options = { timeoutMs: ANSWER_MS_MAX };
      const offer = await transport.request(peer, PROBE, question, options);
      for (const [position, id] of far.entries())
        if (offer.held[position] === true) whereabouts.note(id, peer);
      this.accept({ t: "offered", peer, need, offer });
    } catch {
      this.accept({ t: "probe-failed", peer });
    }
  }

  #grantHere(items: readonly GrantItem[]): void {
    const { worker, directory } = this.#deps;
    const peer = directory.self;
    const answers = items.flatMap((item) => {
      const open = this.#tickets.get(item.ticket);
      if (open === undefined) return [];
      const { isExclusive, origin } = open.work;
      const { expectedMs } = item;
      const need = { demand: origin.demand, isExclusive };
      const answer = worker.grantHere(
        this.#ownWork(item, open),
        expectedMs === undefined ? need : { ...need, expectedMs },
      );
      return [{ lease: item.lease, answer }];
    });
    queueMicrotask(() => this.accept({ t: "granted", peer, answers, room: worker.roomFor(peer) }));
  }

  #ownWork({ lease, positions, ticket }: GrantItem, open: OpenTicket): Work {
    const { work, options, ballot } = open;
    const { worker, directory } = this.#deps;
    const peer = directory.self;
    const { batch, origin, isExclusive } = work;
    const { code, ...rest } = batch;
    const isWhole = positions.length === batch.attempts.length;
    const pick = <T>(items: readonly T[]): readonly T[] =>
      isWhole ? items : positions.map((position) => defined(items[position]));
    return {
      lease,
      run: origin.run,
      owner: peer,
      ballot,
      batch: { ...rest, codeId: code.codeId, attempts: pick(batch.attempts) },
      code,
      origin: { ...origin, tasks: pick(origin.tasks) },
      isExclusive,
      hints: this.#hints(ticket),
      abort: new AbortController(),
      progress: new Map(),
      isEnding: false,
      own: {
        onProgress: options.onProgress,
        ended: ({ outcomes, scratchFile }) => {
          const scratch = scratchFile === undefined ? {} : { scratchFile };
          const handedIn = { lease, outcomes, isLast: true, isUnfit: false, ...scratch };
          const room = worker.roomFor(peer);
          this.accept({ t: "handed-in", peer, outcomes: handedIn, room });
        },
        broken: (error) => this.#take(ticket)?.reject(error),
      },
    };
  }

  /** As many messages as the grants need. */
  #grant(peer: PeerId, items: readonly GrantItem[]): void {
    let message: { grants: Grant[]; bytes: number } = { grants: [], bytes: 0 };
    const flush = (): void => {
      if (message.grants.length > 0) void this.#sendGrants(peer, message.grants);
      message = { grants: [], bytes: 0 };
    };
    for (const item of items) {
      const open = this.#tickets.get(item.ticket);
      if (open === undefined) continue;
      const { lease, positions } = item;
      const { ballot } = open;
      const hints = this.#hints(item.ticket);
      const grant = encodeGrant(open.work, { ...item, ballot, hints });
      const taken = grant?.attempts.length ?? 0;
      if (taken < positions.length)
        queueMicrotask(() =>
          this.accept({
            t: "ungranted",
            lease,
            positions: positions.slice(taken),
            isTooLarge: taken === 0,
          }),
        );
      if (grant === undefined) continue;
      const bytes = bytesOf(grant);
      if (message.bytes + bytes > PART_BYTES_MAX || message.grants.length === GRANTS_MAX) flush();
      message.grants.push(grant);
      message.bytes += bytes;
    }
    flush();
  }

  async #sendGrants(peer: PeerId, grants: Grant[]): Promise<void> {
    const leases = grants.map(({ lease }) => lease);
    try {
      const options = { timeoutMs: GRANT_MS_MAX };
      const { answers, room } = await this.#deps.transport.request(
        peer,
        GRANT,
        { grants },
        options,
      );
      this.accept({
        t: "granted",
        peer,
        answers: leases.map((lease, position) => ({ lease, answer: answers[position] ?? "busy" })),
        room,
      });
    } catch (error) {
      this.#deps.logger.warn("grant-failed", { peer, error: toErrorRecord(error).code });
      this.accept({ t: "grant-failed", peer, leases });
    }
  }

  #cancel({ peer, run, leases }: Extract<PlacementEffect, { t: "cancel" }>): void {
    const { worker, transport, directory, ballotOf } = this.#deps;
    if (peer === directory.self) return worker.cancel(leases);
    transport.send(peer, CANCEL, { run, ballot: ballotOf(run), leases: [...leases] });
  }

  #hints(ticket: number): PeerId[] {
    const { whereabouts, directory } = this.#deps;
    return holdersOf(this.#tickets.get(ticket)?.far ?? [], whereabouts, directory.self);
  }

  /** For the worker of this peer: there is room again. */
  pulledHere(room: Room): void {
    queueMicrotask(() => this.accept({ t: "pulled", peer: this.#deps.directory.self, room }));
  }
}

function bytesOf(grant: Grant): number {
  let bytes = 0;
  for (const attempt of grant.attempts) bytes += attempt.length;
  for (const { data, id } of grant.contents) bytes += data.length + id.length;
  return bytes;
}
