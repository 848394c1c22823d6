/**
 * Asks one peer after another whether it is there: directly, then through three others, then it is somebody's suspect. Anything
 * heard from the peer itself in between ends the question. Pure: time comes in calls, messages go out through `send`.
 */
import type { PeerId } from "../../src/model/peer.ts";
import type { Talk } from "../../src/wire/membership-protocol.ts";
import type { LocalHealth } from "./local-health.ts";
import {
  HELPERS,
  INDIRECT_TIMEOUT_MS,
  LATENCY_WEIGHT,
  PING_KEPT_MS,
  PINGS_MAX,
  PROBE_RTT_FACTOR,
  PROBE_TIMEOUT_MS_MAX,
  PROBE_TIMEOUT_MS_MIN,
  RELAY_TIMEOUT_MS,
  RELAYS_MAX,
} from "./membership-limits.ts";
import type { PeerRecord } from "./peer-record.ts";
import type { PeerTable } from "./peer-table.ts";
import type { SeededDraw } from "./seeded-draw.ts";

interface Probe {
  readonly peer: PeerRecord;
  phase: "direct" | "indirect";
  deadline: number;
  /** Its connection broke: a failure is graver than silence. */
  isHurried: boolean;
  /** Helpers who have not answered. One who says that it does not reach the peer either speaks for us. */
  readonly helpers: Set<PeerId>;
  wasHelped: boolean;
}

interface Ping {
  readonly peer: PeerId;
  readonly sentAt: number;
}

interface Relay {
  readonly asker: PeerId;
  readonly seq: number;
  readonly deadline: number;
}

export interface ProberPorts {
  readonly table: PeerTable;
  readonly draw: SeededDraw;
  readonly health: LocalHealth;
  send(to: PeerId, talk: Talk): void;
  failed(peer: PeerRecord, isHurried: boolean, now: number): void;
}

export class Prober {
  readonly #ports: ProberPorts;
  readonly #probes = new Map<PeerId, Probe>();
  readonly #pings = new Map<number, Ping>();
  /** By the sequence number of our own ping for somebody. */
  readonly #relays = new Map<number, Relay>();
  #order: PeerRecord[] = [];
  #seq = 0;

  constructor(ports: ProberPorts) {
    this.#ports = ports;
  }

  /** Whose turn it is: round robin in an order drawn anew each round, so that everybody is asked within one. */
  next(): PeerRecord | undefined {
    for (let round = 0; round < 2; round++) {
      for (let next = this.#order.pop(); next !== undefined; next = this.#order.pop()) {
        if (this.#isProbed(next)) return next;
      }
      const probed = this.#ports.table.others().filter((peer) => this.#isProbed(peer));
      this.#order = this.#ports.draw.pick(probed, probed.length);
    }
    return undefined;
  }

  #isProbed({ id, state, boot }: PeerRecord): boolean {
    if (this.#ports.table.get(id)?.isMember !== true) return false;
    return (state === "alive" || state === "suspect") && (boot > 0 || state === "alive");
  }

  /** Sends a ping; with a digest it is an exchange as well. */
  ping(peer: PeerRecord, talk: Pick<Extract<Talk, { t: "ping" }>, "d" | "i">, now: number): number {
    this.#seq = (this.#seq + 1) % 0xffff_ffff;
    const oldest = this.#pings.keys().next();
    if (this.#pings.size >= PINGS_MAX && oldest.done !== true) this.#pings.delete(oldest.value);
    this.#pings.set(this.#seq, { peer: peer.id, sentAt: now });
    this.#ports.send(peer.id, { t: "ping", q: this.#seq, ...talk });
    return this.#seq;
  }

  /** Expects to hear of the peer; the caller has pinged it where it is connected. */
  watch(peer: PeerRecord, now: number): void {
    if (this.#probes.has(peer.id)) return;
    const probe: Probe = {
      peer,
      phase: "direct",
      deadline: now + this.#patience(peer),
      isHurried: false,
      helpers: new Set(),
      wasHelped: false,
    };
    this.#probes.set(peer.id, probe);
    if (!peer.isConnected) this.#askOthers(probe, now);
  }

  /** Its connection broke: give the redial a moment, then ask others. */
  hurry(peer: PeerRecord, now: number): void {
    this.#probes.set(peer.id, {
      peer,
      phase: "direct",
      deadline: now + PROBE_TIMEOUT_MS_MIN,
      isHurried: true,
      helpers: new Set(),
      wasHelped: false,
    });
  }

  cancel(peer: PeerId): void {
    this.#probes.delete(peer);
  }

  /** Something came from the peer itself. */
  heard(peer: PeerId): void {
    if (this.#probes.delete(peer)) this.#ports.health.better();
  }

  acked(peer: PeerRecord, seq: number, now: number): void {
    const ping = this.#pings.get(seq);
    if (ping === undefined || ping.peer !== peer.id) return;
    this.#pings.delete(seq);
    const tripMs = Math.max(0, now - ping.sentAt);
    const before = peer.latencyMs;
    peer.latencyMs = before === undefined ? tripMs : before + (tripMs - before) * LATENCY_WEIGHT;
    peer.view = undefined;
    const relay = this.#relays.get(seq);
    if (relay === undefined) return;
    this.#relays.delete(seq);
    this.#ports.send(relay.asker, { t: "told", q: relay.seq, ok: true });
  }

  /** Somebody asks whether we reach the target. */
  ask(asker: PeerId, seq: number, target: PeerRecord | undefined, now: number): void {
    if (target === undefined || !target.isConnected || this.#relays.size >= RELAYS_MAX)
      return this.#ports.send(asker, { t: "told", q: seq, ok: false });
    const own = this.ping(target, { i: [] }, now);
    this.#relays.set(own, { asker, seq, deadline: now + RELAY_TIMEOUT_MS });
  }

  /** A helper's answer. The number is one of ours for the target's probe: see #askOthers. */
  told(helper: PeerId, seq: number, isThere: boolean): void {
    const target = this.#pings.get(seq)?.peer;
    const probe = target === undefined ? undefined : this.#probes.get(target);
    if (probe?.helpers.delete(helper) === true && isThere) {
      this.#probes.delete(probe.peer.id);
      this.#ports.health.better();
    }
  }

  /** Does what is due by now. */
  due(now: number): void {
    for (const probe of this.#probes.values()) {
      if (probe.deadline > now) continue;
      if (probe.phase === "direct") this.#askOthers(probe, now);
      else this.#fail(probe, now);
    }
    for (const [own, relay] of this.#relays) {
      if (relay.deadline > now) continue;
      this.#relays.delete(own);
      this.#ports.send(relay.asker, { t: "told", q: relay.seq, ok: false });
    }
  }

  /** Forgets pings whose answer is no measurement any more. */
  sweep(now: number): void {
    for (const [seq, ping] of this.#pings) {
      if (ping.sentAt + PING_KEPT_MS > now) return;
      this.#pings.delete(seq);
    }
  }

  /** This peer ran late: answers may be waiting unread. */
  shift(ms: number): void {
    for (const probe of this.#probes.values()) probe.deadline += ms;
  }

  get nextDeadline(): number {
    let next = Infinity;
    for (const { deadline } of this.#probes.values()) next = Math.min(next, deadline);
    for (const { deadline } of this.#relays.values()) next = Math.min(next, deadline);
    return next;
  }

  #patience({ latencyMs }: PeerRecord): number {
    const timeout = Math.min(
      PROBE_TIMEOUT_MS_MAX,
      Math.max(PROBE_TIMEOUT_MS_MIN, (latencyMs ?? 0) * PROBE_RTT_FACTOR),
    );
    return timeout * this.#ports.health.multiplier;
  }

  /** A second ping of our own goes along: it carries the number that helpers answer with. */
  #askOthers(probe: Probe, now: number): void {
    const { table, draw, send } = this.#ports;
    const { peer } = probe;
    const seq = this.ping(peer, { i: [] }, now);
    const able = table
      .others()
      .filter((other) => other !== peer && other.isConnected && other.state === "alive");
    const helpers = draw.pick(able, HELPERS);
    for (const helper of helpers) {
      probe.helpers.add(helper.id);
      send(helper.id, { t: "ask", q: seq, k: peer.key });
    }
    probe.phase = "indirect";
    probe.wasHelped = helpers.length > 0;
    probe.deadline = now + INDIRECT_TIMEOUT_MS * this.#ports.health.multiplier;
  }

  #fail(probe: Probe, now: number): void {
    this.#probes.delete(probe.peer.id);
    const { health } = this.#ports;
    // Helpers who said nothing at all, not even no: the fault may be ours.
    health.worse(probe.wasHelped ? probe.helpers.size : 1);
    this.#ports.failed(probe.peer, probe.isHurried, now);
  }
}
