/** What others tell of peers, taken in where it is newer than what we have. Nothing a member says makes us forget or throw. */
import {
  loadFromTuple,
  STATES_BY_RANK,
  type TalkItem,
} from "../../src/wire/membership-protocol.ts";
import type { DigestEntry } from "./digest.ts";
import { isWorthTelling } from "./load-change.ts";
import type { LocalHealth } from "./local-health.ts";
import type { MemberStates } from "./member-states.ts";
import { addressesOf, loadVersion, type PeerRecord } from "./peer-record.ts";
import type { PeerTable } from "./peer-table.ts";

export interface RecordIntakePorts {
  readonly table: PeerTable;
  readonly states: MemberStates;
  readonly health: LocalHealth;
  /** Its addresses are new. */
  keep(record: PeerRecord): void;
  /** Something is new that others may not have. */
  stir(now: number): void;
}

export class RecordIntake {
  readonly #ports: RecordIntakePorts;

  constructor(ports: RecordIntakePorts) {
    this.#ports = ports;
  }

  /** What the sender believes of us, to be refuted at once. */
  readAboutSelf(entry: DigestEntry | undefined, now: number): void {
    if (entry === undefined) return;
    const state = STATES_BY_RANK[entry.rank] ?? "dead";
    const claim = {
      boot: entry.boot,
      counter: entry.counter,
      state,
      accusers: [],
      proof: undefined,
    };
    if (this.#ports.states.claim(this.#ports.table.self, claim, now)) this.#ports.health.worse();
  }

  apply(items: readonly TalkItem[], now: number): void {
    for (const item of items) {
      const known = this.#ports.table.byKey(item.k);
      const record = known?.isMember === true ? known : this.#introduced(item);
      if (record === undefined) continue;
      if (record !== this.#ports.table.self) this.#applyAbout(record, item, now);
      if (item.s !== undefined) {
        const [counter, rank, accusers] = item.s;
        const state = STATES_BY_RANK[rank] ?? "dead";
        const claim = { boot: item.b, counter, state, accusers, proof: item.p };
        if (this.#ports.states.claim(record, claim, now)) this.#ports.health.worse();
      }
      if (record !== this.#ports.table.self) this.#applyLoad(record, item, now);
    }
  }

  /** A peer that another knows. One that left already is no news to us. */
  #introduced(item: TalkItem): PeerRecord | undefined {
    if (item.a === undefined || item.s === undefined) return undefined;
    if (STATES_BY_RANK[item.s[1]] === "left") return undefined;
    const record = this.#ports.table.add(item.a.id, []);
    if (record === undefined || record.key !== item.k || !this.#ports.table.enrol(record))
      return undefined;
    return record;
  }

  #applyAbout(record: PeerRecord, item: TalkItem, now: number): void {
    const { a } = item;
    if (a === undefined || a.id !== record.id) return;
    this.#ports.states.sawBoot(record, a.boot, now);
    const known = record.about;
    if (a.boot < record.boot && known !== undefined) return;
    if (known !== undefined && (a.boot - known.boot || a.version - known.version) <= 0) return;
    const before = addressesOf(record).join(" ");
    record.about = a;
    this.#ports.stir(now);
    this.#ports.states.changed(record);
    if (addressesOf(record).join(" ") === before) return;
    this.#ports.keep(record);
  }

  #applyLoad(record: PeerRecord, item: TalkItem, now: number): void {
    if (item.l === undefined || item.b !== record.boot) return;
    const [version, tuple] = item.l;
    if (version <= loadVersion(record)) return;
    const before = record.load;
    record.load = loadFromTuple(tuple);
    if (isWorthTelling(before, record.load)) this.#ports.stir(now);
    record.loadBoot = item.b;
    record.loadVersion = version;
    this.#ports.states.changed(record);
  }
}
