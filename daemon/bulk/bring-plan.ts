/** From what is wanted and who has it to pieces and their sources. Pure. */
import { CHUNKED_OVER_BYTES } from "../../src/artifact/chunker.ts";
import { parseCid, type Codec } from "../../src/artifact/cid.ts";
import type { Manifest } from "../../src/artifact/manifest.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { MANIFEST_BYTES_MAX, SOURCES_MAX } from "./bulk-limits.ts";
import type { Want } from "./thread-messages.ts";
import type { PieceGroup } from "./transfer-options.ts";

/** A manifest that nobody measured yet counts this much. */
const MANIFEST_BYTES_GUESS = 256 * 1024;

export interface Sources {
  /** In the order in which they are to be asked. */
  readonly peers: readonly PeerId[];
  /** As the first of them said. */
  readonly bytes: number;
}

/** Content that is one piece: a manifest, or what was not cut. */
export function wantWhole(id: Cid, bytes: number): Want {
  const { codec, digest } = parseCid(id);
  const bytesMax = codec === "dag-json" ? MANIFEST_BYTES_MAX : CHUNKED_OVER_BYTES;
  const guess = codec === "dag-json" ? MANIFEST_BYTES_GUESS : bytes;
  return { digest, codec, bytesMax, bytesGuess: Math.max(1, Math.min(guess, bytesMax)) };
}

/** The chunks of a manifest, each once. */
export function wantChunks(manifest: Manifest): Map<Cid, Want> {
  const wants = new Map<Cid, Want>();
  for (const { id, bytes } of manifest.chunks) {
    const { digest } = parseCid(id);
    wants.set(id, { digest, codec: "raw", bytes, bytesMax: bytes, bytesGuess: bytes });
  }
  return wants;
}

interface OpenGroup {
  readonly peers: readonly PeerId[];
  readonly ids: Cid[];
  readonly wants: Want[];
  readonly known: { codec: Codec; data: Uint8Array }[];
}

/** Gathers pieces by who can give them. A piece that two contents share is asked for once. */
export class PlannedGroups {
  readonly #groups = new Map<string, OpenGroup>();
  readonly #planned = new Set<string>();

  add(id: Cid, sources: Sources, wants: Iterable<Want>): void {
    const group = this.#group(sources.peers.slice(0, SOURCES_MAX));
    if (group.ids.at(-1) !== id) group.ids.push(id);
    for (const want of wants) {
      if (this.#planned.has(want.digest)) continue;
      this.#planned.add(want.digest);
      group.wants.push(want);
    }
  }

  /** Goes into the segment of whoever gives that content. */
  addKnown(sources: Sources, codec: Codec, data: Uint8Array): void {
    this.#group(sources.peers.slice(0, SOURCES_MAX)).known.push({ codec, data });
  }

  /** What is small first. */
  groups(): (PieceGroup & { readonly ids: readonly Cid[] })[] {
    return [...this.#groups.values()];
  }

  #group(peers: readonly PeerId[]): OpenGroup {
    const key = [...peers].sort().join(" ");
    const group = this.#groups.get(key) ?? { peers, ids: [], wants: [], known: [] };
    this.#groups.set(key, group);
    return group;
  }
}
