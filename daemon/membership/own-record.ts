/** What this peer says of itself: its record, a new version of it where something is worth telling. */
import type { LoadRecord } from "../../src/model/peer.ts";
import { aboutProfile, ADDRESSES_MAX } from "../../src/wire/membership-protocol.ts";
import { leaveCommitment } from "./leave-proof.ts";
import { isWorthTelling } from "./load-change.ts";
import type { MembershipMachineOptions } from "./membership-events.ts";
import { LOAD_REFRESH_MS } from "./membership-limits.ts";
import { newRecord, type PeerRecord } from "./peer-record.ts";

export class OwnRecord {
  readonly record: PeerRecord;
  #loadToldAt = -Infinity;
  #addresses: readonly string[] = [];

  constructor(options: MembershipMachineOptions) {
    this.record = selfRecord(options);
  }

  /** True where it is news and not only a sign of life. */
  sayLoad(load: LoadRecord, now: number): boolean {
    const self = this.record;
    const isStale = now - this.#loadToldAt >= LOAD_REFRESH_MS;
    const isNew = isWorthTelling(self.load, load);
    if (!isStale && !isNew) return false;
    self.load = load;
    self.loadVersion++;
    self.view = undefined;
    this.#loadToldAt = now;
    return isNew;
  }

  sayAddresses(addresses: readonly string[]): void {
    const { about } = this.record;
    if (addresses === this.#addresses) return;
    this.#addresses = addresses;
    const next = addresses.slice(0, ADDRESSES_MAX);
    if (about === undefined || next.join(" ") === about.addresses.join(" ")) return;
    this.record.about = { ...about, version: about.version + 1, addresses: next };
    this.record.view = undefined;
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
