/**
 * Who is in the mesh, whether they live, how loaded they are. SWIM with Lifeguard over connections that exist anyway, with three
 * changes: nobody is forgotten, a boot counter leads the incarnation, and broken connections are evidence. Pure: events in, effects
 * out, time in calls, chance from a seed. The state is private and changed in place. Rules in the README.
 */
import type { LoadRecord, PeerId, PeerView } from "../../src/model/peer.ts";
import {
  ADDRESSES_MAX,
  aboutProfile,
  loadFromTuple,
  STATES_BY_RANK,
  type LeaveReason,
  type Talk,
  type TalkItem,
} from "../../src/wire/membership-protocol.ts";
import type { TransportEvent } from "../../src/wire/transport.ts";
import { AntiEntropy } from "./anti-entropy.ts";
import { decodeDigest, type DigestEntry } from "./digest.ts";
import { leaveCommitment } from "./leave-proof.ts";
import { isWorthTelling } from "./load-change.ts";
import { LocalHealth } from "./local-health.ts";
import { MemberStates } from "./member-states.ts";
import type {
  KnownPeer,
  MembershipEffect,
  MembershipEvent,
  MembershipMachineOptions,
} from "./membership-events.ts";
import {
  AWAKE_TICKS,
  CALM_TICKS,
  EXCHANGE_PARTNERS,
  LATE_TICK_MS,
  LOAD_REFRESH_MS,
  REFUSED_PROOF_MS,
  RUMOUR_FANOUT,
  RUMOUR_ITEMS_MAX,
  STIR_MS,
} from "./membership-limits.ts";
import {
  ALL_PARTS,
  addressesOf,
  itemOf,
  loadVersion,
  newRecord,
  STATE_PART,
  type PeerRecord,
} from "./peer-record.ts";
import { PeerTable } from "./peer-table.ts";
import { Prober } from "./prober.ts";
import { SeededDraw } from "./seeded-draw.ts";

export class MembershipMachine {
  readonly #table: PeerTable;
  readonly #self: PeerRecord;
  readonly #draw: SeededDraw;
  readonly #health = new LocalHealth();
  readonly #states: MemberStates;
  readonly #prober: Prober;
  readonly #entropy: AntiEntropy;
  readonly #seeds: readonly KnownPeer[];
  readonly #leaveProof: Uint8Array;
  #effects: MembershipEffect[] = [];
  #tick = 0;
  #loadToldAt = -Infinity;
  #ticksAsleep = 0;
  /** Until then something is new that others may not have. */
  #stirredUntil = 0;
  #addresses: readonly string[] = [];

  constructor(options: MembershipMachineOptions) {
    this.#self = selfRecord(options);
    this.#table = new PeerTable(this.#self);
    this.#draw = new SeededDraw(options.seed);
    this.#states = new MemberStates(this.#table, (effect) => this.#effects.push(effect));
    this.#prober = new Prober({
      table: this.#table,
      draw: this.#draw,
      health: this.#health,
      send: (to, talk) => this.#send(to, talk),
      failed: (peer, isHurried, now) => this.#states.accuse(peer, isHurried, now),
    });
    this.#entropy = new AntiEntropy(this.#table, this.#draw);
    this.#seeds = options.seeds;
    this.#leaveProof = options.leaveProof;
  }

  /** `now`: monotonic ms. */
  accept(event: MembershipEvent, now: number): readonly MembershipEffect[] {
    this.#take(event, now);
    this.#spreadNews(now);
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** When something is due that cannot wait for the next tick; Infinity where nothing is. */
  get wakeAt(): number {
    return Math.min(this.#prober.nextDeadline, this.#states.nextDeadline);
  }

  peers(): PeerView[] {
    return [this.#self, ...this.#table.others()].map((record) => this.#table.view(record));
  }

  get(peer: PeerId): PeerView | undefined {
    const record = this.#table.get(peer);
    return record?.isMember === true ? this.#table.view(record) : undefined;
  }

  /** Whom to dial after a restart. */
  known(): KnownPeer[] {
    return this.#table
      .others()
      .filter(({ state }) => state !== "left")
      .map((record) => ({ peer: record.id, addresses: addressesOf(record) }));
  }

  #take(event: MembershipEvent, now: number): void {
    switch (event.t) {
      case "started":
        for (const { peer, addresses } of this.#seeds) this.#seed(peer, addresses, now);
        return;
      case "ticked":
        return this.#ticked(event, now);
      case "woken":
        return this.#due(now);
      case "heard":
        return this.#heard(event.from, event.talk, now);
      case "transport":
        return this.#transport(event.event, now);
      case "slept":
        // Others may have given up on us; what they say of the former incarnation must not stick.
        return this.#wokeUp();
      case "leaving":
        return this.#leave(event.why);
      case "revoked":
        return this.#revoke(event.peer);
    }
  }

  #ticked(event: Extract<MembershipEvent, { t: "ticked" }>, now: number): void {
    this.#tick++;
    if (event.lateMs > LATE_TICK_MS) {
      this.#prober.shift(event.lateMs);
      this.#states.shift(event.lateMs);
    }
    if (this.#self.state === "asleep" && ++this.#ticksAsleep >= AWAKE_TICKS) this.#wokeUp();
    this.#health.loopDelay(event.load.loopDelayMs);
    this.#sayAddresses(event.addresses);
    this.#sayLoad(event.load, now);
    this.#due(now);
    this.#prober.sweep(now);
    this.#states.sweep(now);
    this.#exchange(now);
  }

  #wokeUp(): void {
    this.#ticksAsleep = 0;
    this.#states.renew("alive");
  }

  #due(now: number): void {
    this.#prober.due(now);
    this.#states.due(now);
  }

  /** One message each to a few peers is probe and anti-entropy at once. */
  #exchange(now: number): void {
    const isProbing = this.#tick % this.#health.multiplier === 0;
    const target = isProbing ? this.#prober.next() : undefined;
    if (target !== undefined) this.#prober.watch(target, now);
    const others = this.#table.others().filter((peer) => peer.isConnected && peer !== target);
    const isCalm = now >= this.#stirredUntil && this.#tick % CALM_TICKS !== 0;
    const count = (isCalm ? 1 : EXCHANGE_PARTNERS) - (target?.isConnected === true ? 1 : 0);
    const partners = this.#draw.pick(others, count);
    if (target?.isConnected === true) partners.push(target);
    if (partners.length === 0) return;
    const digest = this.#entropy.digest(this.#tick);
    for (const peer of partners)
      this.#prober.ping(peer, { d: digest, i: this.#ownLoad(peer) }, now);
  }

  /** Our load where the peer has not had it: saves it the asking. */
  #ownLoad(peer: PeerRecord): TalkItem[] {
    const version = loadVersion(this.#self);
    if (version === 0 || peer.toldLoad === version) return [];
    peer.toldLoad = version;
    return [itemOf(this.#self, { state: false, about: false, load: true })];
  }

  #sayLoad(load: LoadRecord, now: number): void {
    const self = this.#self;
    const isStale = now - this.#loadToldAt >= LOAD_REFRESH_MS;
    const isNew = isWorthTelling(self.load, load);
    if (!isStale && !isNew) return;
    if (isNew) this.#stir(now);
    self.load = load;
    self.loadVersion++;
    self.view = undefined;
    this.#loadToldAt = now;
  }

  #sayAddresses(addresses: readonly string[]): void {
    const { about } = this.#self;
    if (addresses === this.#addresses) return;
    this.#addresses = addresses;
    const next = addresses.slice(0, ADDRESSES_MAX);
    if (about === undefined || next.join(" ") === about.addresses.join(" ")) return;
    this.#self.about = { ...about, version: about.version + 1, addresses: next };
    this.#self.view = undefined;
  }

  #heard(from: PeerId, talk: Talk, now: number): void {
    const peer = this.#table.add(from, []);
    if (peer === undefined || peer === this.#self || !this.#table.enrol(peer)) return;
    peer.heardAt = now;
    this.#states.met(peer, now);
    this.#prober.heard(from);
    switch (talk.t) {
      case "ping":
        return this.#pinged(peer, talk, now);
      case "ack": {
        this.#prober.acked(peer, talk.q, now);
        this.#apply(talk.i, now);
        const items = this.#entropy.wanted(talk.w, now);
        if (items.length > 0) this.#send(from, { t: "news", i: items });
        return;
      }
      case "news":
        return this.#apply(talk.i, now);
      case "ask":
        return this.#prober.ask(from, talk.q, this.#table.byKey(talk.k), now);
      case "told":
        return this.#prober.told(from, talk.q, talk.ok);
      case "bye":
        this.#apply(talk.i, now);
        return this.#saidBye(peer, talk.why, now);
    }
  }

  #pinged(peer: PeerRecord, talk: Extract<Talk, { t: "ping" }>, now: number): void {
    this.#apply(talk.i, now);
    const digest = talk.d === undefined ? undefined : decodeDigest(talk.d);
    // Its own entry there is the newest word on it, and may be a restart.
    const own = digest?.entries.get(peer.key);
    if (own !== undefined) this.#states.sawBoot(peer, own.boot, now);
    if (digest !== undefined) this.#readAboutSelf(digest.entries.get(this.#self.key), now);
    const { items, wants } =
      digest === undefined ? { items: [], wants: [] } : this.#entropy.answer(digest, peer, now);
    // Whom we accuse must learn it from us first.
    const isAccused = peer.boot > 0 && peer.state !== "alive";
    if (isAccused && !items.some((item) => item.k === peer.key && item.s !== undefined))
      items.push(itemOf(peer, STATE_PART));
    this.#send(peer.id, { t: "ack", q: talk.q, i: items, w: wants });
  }

  /** What the sender believes of us, to be refuted at once. */
  #readAboutSelf(entry: DigestEntry | undefined, now: number): void {
    if (entry === undefined) return;
    const state = STATES_BY_RANK[entry.rank] ?? "dead";
    const claim = {
      boot: entry.boot,
      counter: entry.counter,
      state,
      accusers: [],
      proof: undefined,
    };
    if (this.#states.claim(this.#self, claim, now)) this.#health.worse();
  }

  #apply(items: readonly TalkItem[], now: number): void {
    for (const item of items) {
      const record = this.#table.byKey(item.k) ?? this.#introduced(item);
      if (record === undefined || !record.isMember) continue;
      if (record !== this.#self) this.#applyAbout(record, item, now);
      if (item.s !== undefined) {
        const [counter, rank, accusers] = item.s;
        const state = STATES_BY_RANK[rank] ?? "dead";
        const claim = { boot: item.b, counter, state, accusers, proof: item.p };
        if (this.#states.claim(record, claim, now)) this.#health.worse();
      }
      if (record !== this.#self) this.#applyLoad(record, item, now);
    }
  }

  /** A peer that another knows. One that left already is no news to us. */
  #introduced(item: TalkItem): PeerRecord | undefined {
    if (item.a === undefined || item.s === undefined) return undefined;
    if (STATES_BY_RANK[item.s[1]] === "left") return undefined;
    const record = this.#table.add(item.a.id, []);
    if (record === undefined || record.key !== item.k || !this.#table.enrol(record))
      return undefined;
    return record;
  }

  #applyAbout(record: PeerRecord, item: TalkItem, now: number): void {
    const { a } = item;
    if (a === undefined || a.id !== record.id) return;
    this.#states.sawBoot(record, a.boot, now);
    const known = record.about;
    if (a.boot < record.boot && known !== undefined) return;
    if (known !== undefined && (a.boot - known.boot || a.version - known.version) <= 0) return;
    const before = addressesOf(record).join(" ");
    record.about = a;
    this.#stir(now);
    this.#states.changed(record);
    if (addressesOf(record).join(" ") === before) return;
    this.#keep(record);
  }

  #applyLoad(record: PeerRecord, item: TalkItem, now: number): void {
    if (item.l === undefined || item.b !== record.boot) return;
    const [version, tuple] = item.l;
    if (version <= loadVersion(record)) return;
    const before = record.load;
    record.load = loadFromTuple(tuple);
    if (isWorthTelling(before, record.load)) this.#stir(now);
    record.loadBoot = item.b;
    record.loadVersion = version;
    this.#states.changed(record);
  }

  #transport(event: TransportEvent, now: number): void {
    switch (event.t) {
      case "connected":
        return this.#connected(event.peer, event.addresses, now);
      case "disconnected": {
        const record = this.#table.get(event.peer);
        if (record === undefined || !record.isConnected) return;
        record.isConnected = false;
        record.toldLoad = -1;
        record.resetAt = event.why === "reset" ? now : undefined;
        this.#states.changed(record);
        if (record.state === "alive" || record.state === "suspect") this.#prober.hurry(record, now);
        return;
      }
      case "dial-failed": {
        const record = this.#table.get(event.peer);
        if (record === undefined || event.why !== "refused" || record.isConnected) return;
        const isProof = now - (record.resetAt ?? -Infinity) < REFUSED_PROOF_MS;
        if (!isProof || now < (record.restartUntil ?? -Infinity)) return;
        this.#prober.cancel(record.id);
        return this.#states.gone(record, now);
      }
      case "discovered":
        return this.#discovered(event.peer, event.addresses);
    }
  }

  #connected(peer: PeerId, addresses: readonly string[], now: number): void {
    const record = this.#table.add(peer, addresses);
    if (record === undefined || record === this.#self || !this.#table.enrol(record)) return;
    if (record.hints.length === 0) record.hints = addresses.slice(0, ADDRESSES_MAX);
    record.isConnected = true;
    record.resetAt = undefined;
    this.#prober.cancel(peer);
    this.#states.met(record, now);
    this.#states.changed(record);
    this.#keep(record);
    this.#prober.ping(record, { d: this.#entropy.wholeDigest(), i: this.#ownLoad(record) }, now);
  }

  #seed(peer: PeerId, addresses: readonly string[], now: number): void {
    const record = this.#table.add(peer, addresses.slice(0, ADDRESSES_MAX));
    if (record === undefined || record === this.#self || !this.#table.enrol(record)) return;
    this.#states.awaited(record, now);
    this.#effects.push({ t: "keep", peer, addresses: record.hints });
  }

  #discovered(peer: PeerId, addresses: readonly string[]): void {
    const known = this.#table.get(peer);
    const record = known ?? this.#table.add(peer, addresses.slice(0, ADDRESSES_MAX));
    if (record === undefined || record === this.#self || record.state === "left") return;
    this.#effects.push({ t: "keep", peer, addresses: addresses.slice(0, ADDRESSES_MAX) });
    const surplus = this.#table.surplusCandidate();
    if (surplus === undefined) return;
    this.#table.remove(surplus.id);
    this.#effects.push({ t: "drop", peer: surplus.id });
  }

  #saidBye(peer: PeerRecord, why: LeaveReason, now: number): void {
    if (why === "restart") this.#states.restarting(peer, now);
    if (why !== "drain" || peer.load === undefined) return;
    peer.load = { ...peer.load, isAccepting: false };
    this.#states.changed(peer);
  }

  #leave(why: LeaveReason): void {
    this.#states.isEnding = why === "leave" || why === "restart";
    if (why === "leave") {
      this.#self.leaveProof = this.#leaveProof;
      this.#states.renew("left");
    } else if (why === "sleep") this.#states.renew("asleep");
    const items = [itemOf(this.#self, ALL_PARTS)];
    for (const peer of this.#table.others())
      if (peer.isConnected) this.#send(peer.id, { t: "bye", why, i: items });
  }

  #revoke(peer: PeerId): void {
    const record = this.#table.get(peer);
    if (record === this.#self) return;
    this.#prober.cancel(peer);
    this.#states.forget(peer);
    this.#effects.push({ t: "drop", peer }, { t: "remember" });
    if (record?.isMember === true) this.#effects.push({ t: "tell", event: { t: "gone", peer } });
  }

  #keep(record: PeerRecord): void {
    if (record.state === "left") return;
    this.#effects.push(
      { t: "keep", peer: record.id, addresses: addressesOf(record) },
      { t: "remember" },
    );
  }

  #stir(now: number): void {
    this.#stirredUntil = now + STIR_MS;
  }

  #spreadNews(now: number): void {
    const news = this.#states.takeNews();
    if (news.length === 0) return;
    this.#stir(now);
    const items = news.slice(0, RUMOUR_ITEMS_MAX).map((record) => itemOf(record, STATE_PART));
    const listeners = this.#table.others().filter((peer) => peer.isConnected);
    for (const peer of this.#draw.pick(listeners, RUMOUR_FANOUT))
      this.#send(peer.id, { t: "news", i: items });
  }

  #send(to: PeerId, talk: Talk): void {
    this.#effects.push({ t: "send", to, talk });
  }
}

function selfRecord(options: MembershipMachineOptions): PeerRecord {
  const { self, profile, addresses, certificate } = options;
  const boot = Math.max(1, options.bootCounter);
  const record = newRecord(self, addresses);
  record.isMember = true;
  record.isConnected = true;
  record.state = "alive";
  record.boot = boot;
  record.loadBoot = boot;
  record.about = {
    ...aboutProfile(profile),
    id: self,
    boot,
    version: 1,
    addresses: addresses.slice(0, ADDRESSES_MAX),
    leaveCommitment: leaveCommitment(options.leaveProof),
    ...(certificate !== undefined && { certificate }),
  };
  return record;
}
