/** Which content attempts read, how much of it a peer would have to fetch, and from whom. */
import { addContentIds } from "../../src/engine/run/content-cache.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { ContentLocation } from "../../src/store/ports.ts";
import type { AttemptBatch, AttemptSpec } from "../../src/task/host-messages.ts";
import { CONTENT_BYTES_GUESS, HINTS_MAX } from "./placement-limits.ts";
import type { Whereabouts } from "./whereabouts.ts";

export function inputContentIds(attempts: readonly Pick<AttemptSpec, "inputs">[]): Set<Cid> {
  const ids = new Set<Cid>();
  for (const { inputs } of attempts) addContentIds(ids, inputs);
  return ids;
}

export function locationIn(
  contents: AttemptBatch["contents"],
  id: Cid,
): ContentLocation | undefined {
  if (contents instanceof Map) return contents.get(id);
  return (contents as Readonly<Record<string, ContentLocation>>)[id];
}

/** Inputs that do not travel with the batch. */
export function farInputs(batch: Pick<AttemptBatch, "attempts" | "contents">): Cid[] {
  return [...inputContentIds(batch.attempts)].filter((id) => {
    const location = locationIn(batch.contents, id);
    return location === undefined || !("inline" in location);
  });
}

export interface MissingQuestion {
  readonly batch: Pick<AttemptBatch, "contents">;
  readonly far: readonly Cid[];
  readonly whereabouts: Whereabouts;
  readonly self: PeerId;
}

/** Bytes that a peer would have to fetch, as far as is known. */
export function missingBytes(question: MissingQuestion): (peer: PeerId) => number {
  const { batch, far, whereabouts, self } = question;
  if (far.length === 0) return () => 0;
  const sizes = far.map((id) => {
    const location = locationIn(batch.contents, id);
    const isHere = location !== undefined && "bytes" in location;
    const bytes = isHere ? location.bytes : (whereabouts.bytes(id) ?? CONTENT_BYTES_GUESS);
    return { id, isHere, bytes };
  });
  return (peer) => {
    let missing = 0;
    for (const { id, isHere, bytes } of sizes)
      if (!(peer === self && isHere) && !whereabouts.holders(id).includes(peer)) missing += bytes;
    return missing;
  };
}

/** Peers other than this one that are known to have some of it. */
export function holdersOf(ids: readonly Cid[], whereabouts: Whereabouts, self: PeerId): PeerId[] {
  const holders = new Set<PeerId>();
  for (const id of ids) {
    for (const holder of whereabouts.holders(id)) if (holder !== self) holders.add(holder);
    if (holders.size >= HINTS_MAX) break;
  }
  return [...holders].slice(0, HINTS_MAX);
}
