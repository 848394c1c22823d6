/** An owner's placement machine with peers as it hears of them, and what it orders by kind. */
import assert from "node:assert/strict";
import type {
  PlacementEffect,
  PlacementEvent,
  TicketRequest,
} from "../../daemon/placement/placement-events.ts";
import { PlacementMachine } from "../../daemon/placement/placement-machine.ts";
import type { MemoKey, RunId, RunRef } from "../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import type { AttemptOutcome } from "../../src/task/host-messages.ts";
import type { Room } from "../../src/wire/placement-values.ts";

export const run: RunRef = { flow: "f", id: "r" as RunId };
export const FULL: Room = { slots: 0, queue: 0, cores: 0, memBytes: 0, gpus: 0 };
export const FREE: Room = { slots: 2, queue: 2, cores: 2, memBytes: 1e9, gpus: 0 };

export function view(id: string, changes: Partial<PeerView> = {}): PeerView {
  return {
    id: id as PeerId,
    isSelf: id === "me",
    state: "alive",
    addresses: [],
    isConnected: true,
    profile: {
      name: id,
      version: "1",
      roles: ["work"],
      labels: {},
      platform: "linux-x64",
      abi: "1",
    },
    load: {
      cpus: 2,
      cpuBusy: 0,
      memBytes: 1e9,
      memFreeBytes: 1e9,
      gpus: [],
      diskFreeBytes: 1e12,
      store: "rw",
      slots: { total: 2, busy: 0 },
      queue: 0,
      loopDelayMs: 0,
      isAccepting: true,
    },
    ...changes,
  };
}

export class Owner {
  readonly machine: PlacementMachine;
  peers: PeerView[];
  now = 0;
  #tickets = 0;

  constructor(...names: string[]) {
    this.peers = names.map((name) => view(name));
    const book = {
      self: "me" as PeerId,
      peers: () => this.peers,
      nameOf: (peer: PeerId) => peer,
    };
    this.machine = new PlacementMachine(book, { draw: () => 0.5, leasePrefix: "x" });
  }

  accept(event: PlacementEvent): readonly PlacementEffect[] {
    return this.machine.accept(event, this.now);
  }

  submit(count = 2, changes: Partial<TicketRequest> = {}): readonly PlacementEffect[] {
    const id = this.#tickets++;
    const memoKeys = Array.from({ length: count }, (_, i) => `${id}-${i}` as MemoKey);
    const demand = { cores: 1, memBytes: 0, gpus: 0 };
    const known = { labels: [], isNative: false, isExclusive: false, environment: "code" };
    const ticket = { id, run, step: "s", memoKeys, demand, ...known, missingBytes: () => 0 };
    return this.accept({ t: "submitted", ticket: { ...ticket, ...changes } });
  }

  offer(peer: string, room = FREE): readonly PlacementEffect[] {
    const need = { demand: { cores: 1, memBytes: 0, gpus: 0 }, isExclusive: false };
    return this.accept({
      t: "offered",
      peer: peer as PeerId,
      need,
      offer: { isAccepting: true, room },
    });
  }

  /** Submits and has it accepted by the peer. */
  place(peer: string, count = 2): string {
    this.submit(count);
    const lease = grantsOf(this.offer(peer))[0]?.lease;
    assert.ok(lease !== undefined);
    this.answer(peer, lease, "accepted");
    return lease;
  }

  answer(
    peer: string,
    lease: string,
    answer: "accepted" | "busy" | "unfit" | "fenced" | "denied",
  ): readonly PlacementEffect[] {
    return this.accept({
      t: "granted",
      peer: peer as PeerId,
      answers: [{ lease, answer }],
      room: FULL,
    });
  }

  handIn(
    peer: string,
    lease: string,
    outcomes: AttemptOutcome[],
    room = FULL,
  ): readonly PlacementEffect[] {
    return this.accept({
      t: "handed-in",
      peer: peer as PeerId,
      outcomes: { lease, outcomes, isLast: true, isUnfit: false },
      room,
    });
  }
}

export function grantsOf(
  effects: readonly PlacementEffect[],
): { peer: string; lease: string; positions: readonly number[] }[] {
  return effects.flatMap((effect) =>
    effect.t === "grant" ? effect.items.map((item) => ({ peer: effect.peer, ...item })) : [],
  );
}

export function probesOf(effects: readonly PlacementEffect[]): string[] {
  return effects
    .flatMap((effect) => (effect.t === "probe" ? [effect.peer as string] : []))
    .sort((a, b) => a.localeCompare(b));
}

export function settledOf(effects: readonly PlacementEffect[]): string[][] {
  return effects.flatMap((effect) =>
    effect.t === "settle" ? [effect.result.outcomes.map(({ result }) => result)] : [],
  );
}

export const done = (position: number): AttemptOutcome => ({
  position,
  result: "succeeded",
  outputs: {},
  wallMs: 1,
  cpuMs: 1,
  rssBytesMax: 1,
});
