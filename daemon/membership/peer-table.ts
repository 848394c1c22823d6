/** Every peer we know, found by id and by key; bounded, and nobody who did not leave is ever dropped. */
import type { PeerId, PeerView } from "../../src/model/peer.ts";
import { peerKey, type PeerKey } from "../../src/wire/membership-protocol.ts";
import { CANDIDATES_MAX, PEERS_MAX } from "./membership-limits.ts";
import { addressesOf, newRecord, type PeerRecord } from "./peer-record.ts";

export class PeerTable {
  readonly self: PeerRecord;
  readonly #byId = new Map<PeerId, PeerRecord>();
  readonly #byKey = new Map<PeerKey, PeerRecord>();
  /** By key: a digest names nobody by more than that. */
  readonly #banned = new Set<PeerKey>();

  constructor(self: PeerRecord) {
    this.self = self;
    this.#byId.set(self.id, self);
    this.#byKey.set(self.key, self);
  }

  get(id: PeerId): PeerRecord | undefined {
    return this.#byId.get(id);
  }

  byKey(key: PeerKey): PeerRecord | undefined {
    return this.#byKey.get(key);
  }

  all(): IterableIterator<PeerRecord> {
    return this.#byId.values();
  }

  /** Members other than this one. */
  others(): PeerRecord[] {
    return [...this.#byId.values()].filter((record) => record.isMember && record !== this.self);
  }

  get memberCount(): number {
    let count = 0;
    for (const record of this.#byId.values()) if (record.isMember) count++;
    return count;
  }

  /** Alive or suspect members, this one included: the N of every formula. */
  get liveCount(): number {
    let count = 0;
    for (const { isMember, state } of this.#byId.values())
      if (isMember && (state === "alive" || state === "suspect")) count++;
    return count;
  }

  /** The record of a peer, made where there is room; undefined where it is banned, its key is taken, or the table full. */
  add(id: PeerId, hints: readonly string[]): PeerRecord | undefined {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    if (this.isBanned(peerKey(id)) || this.#byKey.has(peerKey(id))) return undefined;
    if (this.#byId.size >= PEERS_MAX + CANDIDATES_MAX) return undefined;
    const record = newRecord(id, hints);
    this.#byId.set(id, record);
    this.#byKey.set(record.key, record);
    return record;
  }

  /** Makes a member of a known record; false where there is no room even after dropping one that left. */
  enrol(record: PeerRecord): boolean {
    if (record.isMember) return true;
    if (this.memberCount >= PEERS_MAX) {
      const gone = this.others().find((other) => other.state === "left");
      if (gone === undefined) return false;
      this.remove(gone.id);
    }
    record.isMember = true;
    return true;
  }

  /** The candidate that waits longest, where there are too many. */
  surplusCandidate(): PeerRecord | undefined {
    const candidates = [...this.#byId.values()].filter((record) => !record.isMember);
    return candidates.length > CANDIDATES_MAX ? candidates[0] : undefined;
  }

  remove(id: PeerId): void {
    const record = this.#byId.get(id);
    if (record === undefined || record === this.self) return;
    this.#byId.delete(id);
    this.#byKey.delete(record.key);
  }

  ban(id: PeerId): void {
    this.remove(id);
    if (this.#banned.size < PEERS_MAX) this.#banned.add(peerKey(id));
  }

  isBanned(key: PeerKey): boolean {
    return this.#banned.has(key);
  }

  /** Built once for each change: whoever places work asks often. */
  view(record: PeerRecord): PeerView {
    record.view ??= {
      id: record.id,
      isSelf: record === this.self,
      state: record.state,
      addresses: addressesOf(record),
      isConnected: record.isConnected,
      ...(record.about !== undefined && {
        profile: {
          name: record.about.name,
          version: record.about.release,
          roles: record.about.roles,
          labels: record.about.labels,
          platform: record.about.platform,
          abi: record.about.abi,
        },
      }),
      ...(record.load !== undefined && { load: record.load }),
      ...(record.latencyMs !== undefined && { latencyMs: record.latencyMs }),
    };
    return record.view;
  }
}
