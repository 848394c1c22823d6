/** What this peer has heard of content: how large it is, and who has it. Bounded; a hint for prices and fetches, never a promise. */
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { HOLDERS_MAX, WHEREABOUTS_MAX } from "./placement-limits.ts";

interface Known {
  bytes: number | undefined;
  holders: PeerId[];
}

export class Whereabouts {
  /** Two generations: what is asked for moves to the younger. */
  #recent = new Map<Cid, Known>();
  #older = new Map<Cid, Known>();

  note(id: Cid, holder: PeerId, bytes?: number): void {
    const known = this.#get(id) ?? { bytes: undefined, holders: [] };
    if (bytes !== undefined) known.bytes = bytes;
    if (!known.holders.includes(holder))
      known.holders = [holder, ...known.holders].slice(0, HOLDERS_MAX);
    this.#recent.set(id, known);
    if (this.#recent.size < WHEREABOUTS_MAX / 2) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }

  holders(id: Cid): readonly PeerId[] {
    return this.#get(id)?.holders ?? [];
  }

  bytes(id: Cid): number | undefined {
    return this.#get(id)?.bytes;
  }

  #get(id: Cid): Known | undefined {
    const known = this.#recent.get(id) ?? this.#older.get(id);
    if (known !== undefined) this.#recent.set(id, known);
    return known;
  }
}
