/** A thread that fetches: lanes to sources, the machine that says what to ask of whom, and segments for what arrived verified. */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { digestOf } from "../../src/artifact/cid.ts";
import { systemClock } from "../../src/env/clock.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { PROGRESS_MS } from "./bulk-limits.ts";
import { FetchMachine, type FetchEffect, type FetchEvent, type LaneId } from "./fetch-machine.ts";
import { LaneClient } from "./lane-client.ts";
import { ReceivedSegments } from "./received-segments.ts";
import type {
  FetchThreadOptions,
  FromFetchThread,
  LaneOpening,
  ToFetchThread,
  Want,
} from "./thread-messages.ts";

interface OpenTransfer {
  readonly segments: ReceivedSegments;
  /** Verified since the last report. */
  bytes: number;
}

class FetchThread {
  readonly #options: FetchThreadOptions;
  readonly #post: (message: FromFetchThread) => void;
  readonly #machine = new FetchMachine();
  readonly #lanes = new Map<LaneId, LaneClient>();
  readonly #lanePeers = new Map<LaneId, PeerId>();
  readonly #transfers = new Map<number, OpenTransfer>();
  /** What the piece being handled consists of; only inside `#received`. */
  #arrived: { readonly digest: Buffer; readonly data: Buffer } | undefined;
  #nextLane = 1;
  #nextSegment = 1;
  #isReporting = false;

  constructor(options: FetchThreadOptions, post: (message: FromFetchThread) => void) {
    this.#options = options;
    this.#post = post;
  }

  take(message: ToFetchThread): void {
    switch (message.t) {
      case "transfer":
        return this.#begin(message);
      case "peer":
      case "cancel":
        return this.#step(message);
      case "lane":
        return this.#openLane(message);
      case "no-lane":
        return this.#step({ t: "lane-failed", peer: message.peer });
    }
  }

  #begin(message: Extract<ToFetchThread, { t: "transfer" }>): void {
    const { transfer, wants, peers, known } = message;
    const segments = new ReceivedSegments({
      newPath: () => {
        const name = `${this.#options.prefix}-${this.#nextSegment++}.seg`;
        return join(this.#options.scratchDir, name);
      },
      done: (segment) => this.#post({ t: "segment", transfer, segment }),
    });
    this.#transfers.set(transfer, { segments, bytes: 0 });
    try {
      for (const { codec, data } of known) segments.append(codec, digestOf(data), data);
    } catch {
      // The failure is with the segments: the transfer's end tells it.
      this.#step({ t: "transfer", transfer, wants: [], peers });
      return;
    }
    this.#step({ t: "transfer", transfer, wants, peers });
    this.#report();
  }

  #openLane(opening: LaneOpening): void {
    const lane = this.#nextLane++;
    const client = new LaneClient(
      opening,
      {
        opened: () => this.#step({ t: "lane-opened", lane, peer: opening.peer }),
        failed: () => {
          this.#forget(lane);
          this.#step({ t: "lane-failed", peer: opening.peer });
        },
        ended: (why) => {
          this.#forget(lane);
          this.#step({ t: "lane-ended", lane, why: why === "idle" ? "cut" : why });
        },
        expected: () => this.#machine.expected(lane),
        owes: () => this.#machine.owes(lane),
        received: (want, data) => this.#received(lane, want, data),
        missing: () => this.#step({ t: "piece", lane, verdict: "missing" }),
      },
      { clock: systemClock, stallMs: this.#options.stallMs },
    );
    this.#lanes.set(lane, client);
    this.#lanePeers.set(lane, opening.peer);
  }

  #received(lane: LaneId, want: Want, data: Buffer): void {
    const digest = digestOf(data);
    const isGood = digest.toString("hex") === want.digest;
    this.#arrived = isGood ? { digest, data } : undefined;
    this.#step({ t: "piece", lane, verdict: isGood ? "good" : "wrong" });
    this.#arrived = undefined;
  }

  #step(event: FetchEvent): void {
    for (const effect of this.#machine.step(event)) this.#perform(effect);
  }

  #perform(effect: FetchEffect): void {
    switch (effect.t) {
      case "need-lane":
      case "dropped":
        return this.#post(effect);
      case "ask":
        return this.#lanes.get(effect.lane)?.ask(effect.wants);
      case "keep":
        return this.#keep(effect.transfer, effect.want);
      case "close-lane":
        this.#lanes.get(effect.lane)?.close();
        return this.#forget(effect.lane);
      case "ended":
        return void this.#ended(effect.transfer, effect.missing);
    }
  }

  #keep(id: number, want: Want): void {
    const transfer = this.#transfers.get(id);
    const arrived = this.#arrived;
    if (transfer === undefined || arrived === undefined) return;
    try {
      transfer.segments.append(want.codec, arrived.digest, arrived.data);
      transfer.bytes += arrived.data.length;
    } catch {
      // Nothing more can be written: the failure travels with the transfer's end. Later, so that no step runs inside another.
      queueMicrotask(() => this.#step({ t: "cancel", transfer: id }));
    }
  }

  async #ended(id: number, missing: number): Promise<void> {
    const transfer = this.#transfers.get(id);
    if (transfer === undefined) return;
    const failure = await transfer.segments.finish();
    this.#reportNow();
    this.#transfers.delete(id);
    const { code = "EIO" } = (failure ?? {}) as NodeJS.ErrnoException;
    this.#post({
      t: "ended",
      transfer: id,
      missing,
      ...(failure === undefined ? {} : { failure: { code, message: failure.message } }),
    });
  }

  #forget(lane: LaneId): void {
    this.#lanes.delete(lane);
    this.#lanePeers.delete(lane);
  }

  #report(): void {
    if (this.#isReporting || this.#transfers.size === 0) return;
    this.#isReporting = true;
    systemClock.after(PROGRESS_MS, () => {
      this.#isReporting = false;
      this.#reportNow();
      this.#report();
    });
  }

  #reportNow(): void {
    for (const [id, transfer] of this.#transfers) {
      if (transfer.bytes === 0) continue;
      this.#post({ t: "progress", transfer: id, bytes: transfer.bytes });
      transfer.bytes = 0;
    }
    for (const [id, lane] of this.#lanes) {
      lane.measure();
      const peer = this.#lanePeers.get(id);
      if (lane.meter.bytes === 0 || lane.meter.ms === 0 || peer === undefined) continue;
      this.#post({ t: "lane-speed", peer, bytes: lane.meter.bytes, ms: lane.meter.ms });
      lane.meter.bytes = 0;
      lane.meter.ms = 0;
    }
  }
}

const port = parentPort;
if (port !== null) {
  const thread = new FetchThread(workerData as FetchThreadOptions, (message) => {
    port.postMessage(message);
  });
  port.on("message", (message: ToFetchThread) => thread.take(message));
}
