/** The owner that a PEER_FENCED names: what a refused owner gives way to. It came over the wire, so it is checked. */
import type { MfError } from "../../src/model/errors.ts";
import type { RunOwner } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";

export function fencedBy({ details }: MfError): RunOwner | undefined {
  const { peer, name, ballot } = details;
  if (typeof peer !== "string" || typeof name !== "string") return undefined;
  if (typeof ballot !== "number" || !Number.isSafeInteger(ballot)) return undefined;
  return { peer: peer as PeerId, name, ballot };
}
