/** One membership machine among scripted others: events in, what it says out. */
import type {
  MembershipEffect,
  MembershipEvent,
} from "../../../../daemon/membership/membership-events.ts";
import { leaveCommitment } from "../../../../daemon/membership/leave-proof.ts";
import { MembershipMachine } from "../../../../daemon/membership/membership-machine.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import {
  loadToTuple,
  peerKey,
  STATES_BY_RANK,
  type Talk,
  type TalkItem,
} from "../../../../src/wire/membership-protocol.ts";
import { exampleLoad } from "../../../support/membership-world.ts";

export const SELF = "12D3KooWself00000000" as PeerId;
export const PROOF = new Uint8Array(16).fill(7);

export function peer(name: string): PeerId {
  return `12D3KooW${name.padStart(8, "0")}` as PeerId;
}

export class MeshFixture {
  readonly machine: MembershipMachine;
  now = 1000;
  load = exampleLoad();
  readonly effects: MembershipEffect[] = [];

  constructor(bootCounter = 3, seeds: readonly PeerId[] = []) {
    this.machine = new MembershipMachine({
      self: SELF,
      profile: { name: "self", version: "1", roles: ["work"], labels: {}, platform: "p", abi: "1" },
      bootCounter,
      addresses: ["/self"],
      seeds: seeds.map((seed) => ({ peer: seed, addresses: [`/seed/${seed}`] })),
      leaveProof: PROOF,
      seed: 1,
    });
    this.accept({ t: "started" });
  }

  accept(event: MembershipEvent): readonly MembershipEffect[] {
    const effects = this.machine.accept(event, this.now);
    this.effects.push(...effects);
    return effects;
  }

  tick(lateMs = 0): readonly MembershipEffect[] {
    this.now += 1000 + lateMs;
    return this.accept({ t: "ticked", load: this.load, addresses: ["/self"], lateMs });
  }

  hear(from: PeerId, talk: Talk): Talk[] {
    return talksOf(this.accept({ t: "heard", from, talk }));
  }

  news(from: PeerId, ...items: TalkItem[]): Talk[] {
    return this.hear(from, { t: "news", i: items });
  }

  /** A connected peer that has told about itself. */
  meet(name: string, boot = 1): PeerId {
    const id = peer(name);
    this.accept({ t: "transport", event: { t: "connected", peer: id, addresses: [`/${name}`] } });
    this.news(id, introduction(id, { boot }));
    return id;
  }

  disconnect(id: PeerId, why: "reset" | "closed" = "reset"): void {
    this.accept({ t: "transport", event: { t: "disconnected", peer: id, why } });
  }

  dialFails(id: PeerId, why: "refused" | "timeout"): void {
    this.accept({ t: "transport", event: { t: "dial-failed", peer: id, why } });
  }

  /** Runs what is due, up to `ms` from now, without anybody answering. */
  silence(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const nextTick = (Math.floor(this.now / 1000) + 1) * 1000;
      const at = Math.min(nextTick, Math.max(this.now, this.machine.wakeAt));
      if (at > end) break;
      this.now = at;
      if (at === nextTick)
        this.accept({ t: "ticked", load: this.load, addresses: ["/self"], lateMs: 0 });
      else this.accept({ t: "woken" });
    }
    this.now = end;
  }

  state(id: PeerId): string | undefined {
    return this.machine.get(id)?.state;
  }

  /** Texts of what was told to subscribers since the last call. */
  told(): string[] {
    const told = this.effects.flatMap((effect) => {
      if (effect.t !== "tell") return [];
      const { event } = effect;
      return event.t === "changed" ? [`${event.was} ${event.peer.state}`] : [event.t];
    });
    this.effects.length = 0;
    return told.filter((text) => {
      const [was, is] = text.split(" ");
      return was !== is;
    });
  }
}

export function talksOf(effects: readonly MembershipEffect[]): Talk[] {
  return effects.flatMap((effect) => (effect.t === "send" ? [effect.talk] : []));
}

export function introduction(
  id: PeerId,
  {
    boot = 1,
    version = 1,
    load = 0.1,
    name = "other",
  }: { boot?: number; version?: number; load?: number; name?: string } = {},
): TalkItem {
  return {
    ...claim(id, "alive", { boot }),
    a: {
      id,
      boot,
      version,
      name,
      release: "1",
      roles: ["work"],
      labels: {},
      platform: "p",
      abi: "1",
      addresses: [`/of/${id}`],
      leaveCommitment: leaveCommitment(PROOF),
    },
    l: [version, loadToTuple(exampleLoad(load))],
  };
}

export function claim(
  id: PeerId,
  state: (typeof STATES_BY_RANK)[number],
  {
    boot = 1,
    counter = 0,
    accusers = [] as string[],
    proof = undefined as Uint8Array | undefined,
  } = {},
): TalkItem {
  return {
    k: peerKey(id),
    b: boot,
    s: [counter, STATES_BY_RANK.indexOf(state), accusers],
    ...(proof !== undefined && { p: proof }),
  };
}
