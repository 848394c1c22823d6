/**
 * Which piece is asked of which source. A source is asked for more whenever it owes less than a window, so a slow one gets fewer
 * pieces; a source that fails gives back what it owes. Pure: events in, effects out. Rules B1 to B5 in the README.
 */
import type { PeerId } from "../../src/model/peer.ts";
import {
  LANE_TRIES_MAX,
  STEAL_PIECES_MAX,
  WINDOW_BYTES,
  WINDOW_PIECES_MAX,
} from "./bulk-limits.ts";
import type { DropReason, Want } from "./thread-messages.ts";

export type LaneId = number;

export type FetchEvent =
  | {
      readonly t: "transfer";
      readonly transfer: number;
      readonly wants: readonly Want[];
      readonly peers: readonly PeerId[];
    }
  | { readonly t: "peer"; readonly transfer: number; readonly peer: PeerId }
  | { readonly t: "cancel"; readonly transfer: number }
  | { readonly t: "lane-opened"; readonly lane: LaneId; readonly peer: PeerId }
  /** It could not be opened. */
  | { readonly t: "lane-failed"; readonly peer: PeerId }
  | {
      readonly t: "lane-ended";
      readonly lane: LaneId;
      readonly why: "cut" | "stalled" | "malformed";
    }
  /** The answer to what the lane owes first. */
  | { readonly t: "piece"; readonly lane: LaneId; readonly verdict: "good" | "wrong" | "missing" };

export type FetchEffect =
  | { readonly t: "need-lane"; readonly peer: PeerId }
  | { readonly t: "ask"; readonly lane: LaneId; readonly wants: readonly Want[] }
  /** The piece just received is the first copy of it: write it. */
  | { readonly t: "keep"; readonly transfer: number; readonly want: Want }
  | { readonly t: "close-lane"; readonly lane: LaneId }
  | {
      readonly t: "dropped";
      readonly transfer: number;
      readonly peer: PeerId;
      readonly why: DropReason;
      readonly digest?: string;
    }
  | { readonly t: "ended"; readonly transfer: number; readonly missing: number };

interface Flight {
  readonly transfer: Transfer;
  readonly want: Want;
  /** Lanes that owe it. */
  readonly lanes: Set<LaneId>;
}

interface Transfer {
  readonly id: number;
  /** Not asked for; the next one is last. */
  readonly queue: Want[];
  readonly flying: Map<string, Flight>;
  /** Sources, with how often a lane to them failed since their last piece. */
  readonly peers: Map<PeerId, number>;
  bytesLeft: number;
}

interface Lane {
  readonly id: LaneId;
  readonly peer: PeerId;
  /** In the order of the asking, which is that of the answers. */
  readonly owed: Flight[];
  owedBytes: number;
}

export class FetchMachine {
  readonly #transfers = new Map<number, Transfer>();
  readonly #lanes = new Map<LaneId, Lane>();
  /** Peers to which a lane is being opened. */
  readonly #opening = new Set<PeerId>();
  #effects: FetchEffect[] = [];

  step(event: FetchEvent): FetchEffect[] {
    this.#effects = [];
    this.#take(event);
    this.#fillAll();
    this.#endStarved();
    return this.#effects;
  }

  /** What the lane owes first. */
  expected(lane: LaneId): Want | undefined {
    return this.#lanes.get(lane)?.owed[0]?.want;
  }

  owes(lane: LaneId): boolean {
    return (this.#lanes.get(lane)?.owed.length ?? 0) > 0;
  }

  get isIdle(): boolean {
    return this.#transfers.size === 0;
  }

  #take(event: FetchEvent): void {
    switch (event.t) {
      case "transfer":
        return this.#begin(event.transfer, event.wants, event.peers);
      case "peer":
        if (!(this.#transfers.get(event.transfer)?.peers.has(event.peer) ?? true)) {
          this.#transfers.get(event.transfer)?.peers.set(event.peer, 0);
        }
        return;
      case "cancel":
        this.#end(this.#transfers.get(event.transfer));
        return;
      case "lane-opened":
        this.#opening.delete(event.peer);
        this.#lanes.set(event.lane, { id: event.lane, peer: event.peer, owed: [], owedBytes: 0 });
        return;
      case "lane-failed":
        this.#opening.delete(event.peer);
        return this.#failed(event.peer, "unreachable");
      case "lane-ended":
        return this.#laneEnded(event.lane, event.why);
      case "piece":
        return this.#piece(event.lane, event.verdict);
    }
  }

  #begin(id: number, wants: readonly Want[], peers: readonly PeerId[]): void {
    const transfer: Transfer = {
      id,
      queue: [...wants].reverse(),
      flying: new Map(),
      peers: new Map(peers.map((peer) => [peer, 0])),
      bytesLeft: wants.reduce((sum, want) => sum + want.bytesGuess, 0),
    };
    this.#transfers.set(id, transfer);
    if (wants.length === 0) this.#end(transfer);
  }

  #piece(id: LaneId, verdict: "good" | "wrong" | "missing"): void {
    const lane = this.#lanes.get(id);
    const flight = lane?.owed.shift();
    if (lane === undefined || flight === undefined) return;
    const { transfer, want } = flight;
    lane.owedBytes -= want.bytesGuess;
    flight.lanes.delete(id);
    const isLive = this.#transfers.has(transfer.id) && transfer.flying.get(want.digest) === flight;
    if (verdict !== "good") {
      if (isLive) this.#giveBack(flight);
      if (verdict === "wrong") this.#closeLane(lane);
      if (this.#transfers.has(transfer.id)) this.#drop(transfer, lane.peer, verdict, want.digest);
      return;
    }
    if (transfer.peers.has(lane.peer)) transfer.peers.set(lane.peer, 0);
    if (!isLive) return;
    transfer.flying.delete(want.digest);
    transfer.bytesLeft -= want.bytesGuess;
    this.#effects.push({ t: "keep", transfer: transfer.id, want });
    if (transfer.queue.length === 0 && transfer.flying.size === 0) this.#end(transfer);
  }

  #laneEnded(id: LaneId, why: "cut" | "stalled" | "malformed"): void {
    const lane = this.#lanes.get(id);
    if (lane === undefined) return;
    const owing = new Set(lane.owed.map(({ transfer }) => transfer));
    this.#release(lane);
    const reason = why === "cut" ? "unreachable" : why === "stalled" ? "stalled" : "wrong";
    for (const transfer of owing) {
      if (!this.#transfers.has(transfer.id)) continue;
      if (why === "cut") this.#count(transfer, lane.peer);
      else this.#drop(transfer, lane.peer, reason);
    }
  }

  /** Nothing is owed on it any more. */
  #release(lane: Lane): void {
    this.#lanes.delete(lane.id);
    for (const flight of lane.owed.reverse()) {
      flight.lanes.delete(lane.id);
      const { transfer, want } = flight;
      if (this.#transfers.has(transfer.id) && transfer.flying.get(want.digest) === flight) {
        this.#giveBack(flight);
      }
    }
  }

  #closeLane(lane: Lane): void {
    this.#release(lane);
    this.#effects.push({ t: "close-lane", lane: lane.id });
  }

  /** Back into the queue, unless another lane owes it too. */
  #giveBack({ transfer, want, lanes }: Flight): void {
    if (lanes.size > 0) return;
    transfer.flying.delete(want.digest);
    transfer.queue.push(want);
  }

  #failed(peer: PeerId, why: DropReason): void {
    for (const transfer of this.#transfers.values()) {
      if (!transfer.peers.has(peer)) continue;
      if (why === "unreachable") this.#count(transfer, peer);
      else this.#drop(transfer, peer, why);
    }
  }

  #count(transfer: Transfer, peer: PeerId): void {
    const tries = transfer.peers.get(peer);
    if (tries === undefined) return;
    if (tries + 1 < LANE_TRIES_MAX) transfer.peers.set(peer, tries + 1);
    else this.#drop(transfer, peer, "unreachable");
  }

  #drop(transfer: Transfer, peer: PeerId, why: DropReason, digest?: string): void {
    if (!transfer.peers.delete(peer)) return;
    const about = digest === undefined ? {} : { digest };
    this.#effects.push({ t: "dropped", transfer: transfer.id, peer, why, ...about });
  }

  #fillAll(): void {
    for (const transfer of this.#transfers.values()) {
      for (const peer of transfer.peers.keys()) {
        const isThere = this.#opening.has(peer) || this.#laneTo(peer) !== undefined;
        if (isThere || transfer.queue.length === 0) continue;
        this.#opening.add(peer);
        this.#effects.push({ t: "need-lane", peer });
      }
    }
    for (const lane of this.#lanes.values()) this.#fill(lane);
  }

  #laneTo(peer: PeerId): Lane | undefined {
    for (const lane of this.#lanes.values()) if (lane.peer === peer) return lane;
    return undefined;
  }

  /** The transfer with the least left goes first: what is small never waits for what is large. */
  #fill(lane: Lane): void {
    const wants: Want[] = [];
    const mine = [...this.#transfers.values()]
      .filter(({ peers }) => peers.has(lane.peer))
      .sort((a, b) => a.bytesLeft - b.bytesLeft);
    for (const transfer of mine) {
      while (lane.owedBytes < WINDOW_BYTES && lane.owed.length < WINDOW_PIECES_MAX) {
        const want = transfer.queue.pop();
        if (want === undefined) break;
        const flight: Flight = { transfer, want, lanes: new Set() };
        transfer.flying.set(want.digest, flight);
        this.#owe(lane, flight, wants);
      }
    }
    if (lane.owed.length === 0) this.#steal(lane, mine, wants);
    if (wants.length > 0) this.#effects.push({ t: "ask", lane: lane.id, wants });
  }

  /** Everything is asked for: an idle source is asked too for the last of what another one owes. */
  #steal(lane: Lane, transfers: readonly Transfer[], wants: Want[]): void {
    for (const transfer of transfers) {
      const flights = [...transfer.flying.values()].filter(({ lanes }) => lanes.size === 1);
      for (const flight of flights.slice(-STEAL_PIECES_MAX)) this.#owe(lane, flight, wants);
      if (wants.length > 0) return;
    }
  }

  #owe(lane: Lane, flight: Flight, wants: Want[]): void {
    flight.lanes.add(lane.id);
    lane.owed.push(flight);
    lane.owedBytes += flight.want.bytesGuess;
    wants.push(flight.want);
  }

  #endStarved(): void {
    for (const transfer of this.#transfers.values()) {
      if (transfer.peers.size === 0) this.#end(transfer);
    }
  }

  #end(transfer: Transfer | undefined): void {
    if (transfer === undefined || !this.#transfers.delete(transfer.id)) return;
    const missing = transfer.queue.length + transfer.flying.size;
    this.#effects.push({ t: "ended", transfer: transfer.id, missing });
    for (const lane of this.#lanes.values()) {
      // What it still sends is of no use to anybody: a new lane is cheaper than a window of it.
      const isUseless = lane.owed.every((flight) => !this.#transfers.has(flight.transfer.id));
      if (lane.owed.length > 0 && isUseless) this.#closeLane(lane);
    }
  }
}
