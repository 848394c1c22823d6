/** One round of bringing: ask who has it, take what comes with the answers, fetch the rest. What is still missing is for the next one. */
import { cidFromDigest, parseCid } from "../../src/artifact/cid.ts";
import { decodeManifest, type Manifest } from "../../src/artifact/manifest.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { INLINE_EACH_BYTES_MAX } from "../../src/wire/bulk-protocol.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";
import { PlannedGroups, wantChunks, wantWhole, type Sources } from "./bring-plan.ts";
import type { ContentFetch } from "./content-fetch.ts";
import type { Having, HaveService } from "./have-service.ts";
import type { Want } from "./thread-messages.ts";

export interface BringRoundDeps {
  readonly directory: PeerDirectory;
  readonly store: Store;
  readonly logger: Logger;
  readonly have: HaveService;
  readonly fetch: ContentFetch;
}

export interface BringRoundOptions {
  readonly hints: readonly PeerId[];
  readonly signal: AbortSignal;
  /** Peers that served wrong bytes for this content; grows. */
  readonly wrong: Set<PeerId>;
  /** Peers that stalled, or could not be reached, when they were to give it: asked last; grows. */
  readonly left: Set<PeerId>;
  /** Peers that were asked; grows. */
  readonly asked: Set<PeerId>;
  /** Left free on the disk beside what is fetched. */
  readonly reserveBytes: () => number;
  readonly onProgress: (bytes: number) => void;
  readonly onTotal: (bytes: number) => void;
}

export class BringRound {
  readonly #deps: BringRoundDeps;
  readonly #options: BringRoundOptions;
  readonly #answers: Having[] = [];
  /** Verified content that came with answers, or manifests that are here. */
  readonly #contents = new Map<Cid, Uint8Array>();
  /** Manifests that are stored here already. */
  readonly #stored = new Set<Cid>();

  constructor(deps: BringRoundDeps, options: BringRoundOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** @throws MfError STORE_FULL and what the store throws */
  async run(ids: readonly Cid[]): Promise<void> {
    await this.#readLocalManifests(ids);
    await this.#askHints(ids);
    await this.#askOthers(ids);
    await this.#askSmall(ids);
    await this.#askManifests(ids);
    if (this.#options.signal.aborted) return;
    await this.#commitSmall(ids);
    const manifests = ids.filter((id) => parseCid(id).codec === "dag-json");
    await this.#fetchManifests(manifests);
    await this.#fetchContents(ids);
  }

  /** Left by a transfer that was cut: then only chunks are missing. */
  async #readLocalManifests(ids: readonly Cid[]): Promise<void> {
    const manifests = ids.filter((id) => parseCid(id).codec === "dag-json");
    const pieces = manifests.map(pieceOf);
    const isHere = await this.#deps.store.has(pieces);
    for (const [i, id] of manifests.entries()) {
      const piece = pieces[i];
      if (isHere[i] !== true || piece === undefined) continue;
      try {
        this.#contents.set(id, await this.#deps.store.read(piece));
        this.#stored.add(id);
      } catch (error) {
        this.#deps.logger.warn("bulk.manifest-unreadable", { id, reason: String(error) });
      }
    }
  }

  /** The likeliest holder may send small content at once. */
  async #askHints(ids: readonly Cid[]): Promise<void> {
    const { self } = this.#deps.directory;
    const hints = this.#options.hints.filter((peer) => {
      return peer !== self && !this.#isDoubtful(peer);
    });
    const [first, ...rest] = [...new Set(hints)];
    if (first === undefined) return;
    await Promise.all([this.#ask([first], ids, true), this.#ask(rest, ids, false)]);
  }

  async #askOthers(ids: readonly Cid[]): Promise<void> {
    const homeless = ids.filter((id) => this.#sources(id) === undefined);
    if (homeless.length === 0) return;
    const known = new Set([...this.#options.wrong, ...this.#answers.map(({ peer }) => peer)]);
    await this.#ask(this.#deps.have.others(known), homeless, false);
  }

  /** Small content, and manifests, from one holder each. */
  async #askSmall(ids: readonly Cid[]): Promise<void> {
    const byPeer = new Map<PeerId, Cid[]>();
    for (const id of ids) {
      const sources = this.#sources(id);
      const peer = sources?.peers[0];
      if (sources === undefined || peer === undefined || this.#contents.has(id)) continue;
      // Who was asked first was asked for small content too, and has sent what it could.
      if (peer === this.#options.hints[0]) continue;
      const isCut = parseCid(id).codec === "dag-json";
      if (!isCut && sources.bytes > INLINE_EACH_BYTES_MAX) continue;
      byPeer.set(peer, [...(byPeer.get(peer) ?? []), id]);
    }
    await Promise.all([...byPeer].map(([peer, some]) => this.#ask([peer], some, true)));
  }

  /** Of content that nobody holds whole: somebody may have its manifest, and some of its chunks. */
  async #askManifests(ids: readonly Cid[]): Promise<void> {
    const pieces = new Map(
      ids
        .filter((id) => parseCid(id).codec === "dag-json")
        .filter((id) => this.#sources(id) === undefined && !this.#contents.has(id))
        .map((id) => [pieceOf(id), id]),
    );
    if (pieces.size === 0) return;
    await this.#ask(this.#deps.have.others(this.#options.wrong), [...pieces.keys()], true);
    for (const [piece, id] of pieces) {
      const data = this.#contents.get(piece);
      if (data !== undefined) this.#contents.set(id, data);
    }
  }

  async #ask(peers: readonly PeerId[], ids: readonly Cid[], inline: boolean): Promise<void> {
    for (const peer of peers) this.#options.asked.add(peer);
    const { signal } = this.#options;
    const answers = await this.#deps.have.ask(peers, ids, { inline, signal });
    for (const answer of answers) {
      if (answer.wrong.length > 0) {
        this.#deps.fetch.stats.wrongPieces += answer.wrong.length;
        this.#deps.logger.warn("bulk.wrong-bytes", { peer: answer.peer, id: answer.wrong[0] });
        this.#options.wrong.add(answer.peer);
        continue;
      }
      this.#answers.push(answer);
      for (const [id, data] of answer.contents) this.#contents.set(id, data);
    }
  }

  async #commitSmall(ids: readonly Cid[]): Promise<void> {
    const inline = ids.flatMap((id) => {
      const data = this.#contents.get(id);
      return data === undefined || parseCid(id).codec === "dag-json" ? [] : [{ id, data }];
    });
    if (inline.length === 0) return;
    await this.#deps.store.commit({ inline });
    const bytes = inline.reduce((sum, { data }) => sum + data.length, 0);
    this.#options.onTotal(bytes);
    this.#options.onProgress(bytes);
  }

  async #fetchManifests(ids: readonly Cid[]): Promise<void> {
    const plan = new PlannedGroups();
    for (const id of ids) {
      const sources = this.#sources(id) ?? this.#sources(pieceOf(id));
      if (sources === undefined || this.#contents.has(id)) continue;
      plan.add(id, sources, [wantWhole(id, sources.bytes)]);
    }
    await this.#fetchAll(plan, () => undefined);
    await this.#readLocalManifests(ids.filter((id) => !this.#contents.has(id)));
  }

  async #fetchContents(ids: readonly Cid[]): Promise<void> {
    const plan = new PlannedGroups();
    let total = 0;
    for (const id of ids) {
      const sources = this.#sources(id);
      const isCut = parseCid(id).codec === "dag-json";
      const data = this.#contents.get(id);
      if (!isCut && data === undefined && sources !== undefined) {
        const want = wantWhole(id, sources.bytes);
        total += want.bytesGuess;
        plan.add(id, sources, [want]);
      }
      if (!isCut || data === undefined) continue;
      const wants = await this.#missingChunks(id, data);
      if (wants === undefined) continue;
      total += wants.reduce((sum, want) => sum + want.bytesGuess, 0);
      const known = this.#stored.has(id) ? undefined : data;
      if (sources === undefined) await this.#planParts(plan, id, { wants, known });
      else {
        plan.add(id, sources, wants);
        if (known !== undefined) plan.addKnown(sources, "dag-json", known);
      }
    }
    this.#options.onTotal(total);
    await this.#fetchAll(plan, this.#options.onProgress);
  }

  /** Each chunk from whoever has that one. The manifest is kept with the first: the next round, or caller, need not ask for it. */
  async #planParts(
    plan: PlannedGroups,
    id: Cid,
    parts: { readonly wants: readonly Want[]; readonly known: Uint8Array | undefined },
  ): Promise<void> {
    const chunks = parts.wants.map(({ digest }) => cidFromDigest("raw", digest));
    await this.#ask(this.#deps.have.others(this.#options.wrong), chunks, false);
    let { known } = parts;
    for (const [i, chunk] of chunks.entries()) {
      const want = parts.wants[i];
      const sources = this.#sources(chunk);
      if (want === undefined || sources === undefined) continue;
      plan.add(id, sources, [want]);
      if (known !== undefined) plan.addKnown(sources, "dag-json", known);
      known = undefined;
    }
  }

  async #missingChunks(id: Cid, data: Uint8Array): Promise<Want[] | undefined> {
    let manifest: Manifest;
    try {
      manifest = decodeManifest(data);
    } catch (error) {
      this.#deps.logger.warn("bulk.manifest-malformed", { id, reason: String(error) });
      return undefined;
    }
    const wants = wantChunks(manifest);
    const isHere = await this.#deps.store.has([...wants.keys()]);
    return [...wants.values()].filter((_want, i) => isHere[i] !== true);
  }

  async #fetchAll(plan: PlannedGroups, onProgress: (bytes: number) => void): Promise<void> {
    const { signal, wrong, left, reserveBytes } = this.#options;
    const fetched = plan.groups().map((group) => {
      return this.#deps.fetch.fetch(group, {
        signal,
        reserveBytes,
        onProgress,
        onWrong: (peer) => wrong.add(peer),
        onLeft: (peer) => left.add(peer),
        moreSources: () => this.#moreSources(group.ids),
      });
    });
    // All are waited for: what the others bring is kept even where one fails.
    const failed = (await Promise.allSettled(fetched)).find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
  }

  /** Everybody who holds all of it. */
  async #moreSources(ids: readonly Cid[]): Promise<PeerId[]> {
    const { wrong, signal, asked } = this.#options;
    const known = new Set([...wrong, ...this.#answers.map(({ peer }) => peer)]);
    const others = this.#deps.have.others(known);
    for (const peer of others) asked.add(peer);
    const answers = await this.#deps.have.ask(others, ids, { inline: false, signal });
    return answers.filter(({ sizes }) => ids.every((id) => sizes.has(id))).map(({ peer }) => peer);
  }

  #isDoubtful(peer: PeerId): boolean {
    return this.#options.wrong.has(peer) || this.#options.left.has(peer);
  }

  #sources(id: Cid): Sources | undefined {
    const holding = this.#answers.filter(({ peer, sizes }) => {
      return sizes.has(id) && !this.#options.wrong.has(peer);
    });
    const steady = holding.filter(({ peer }) => !this.#options.left.has(peer));
    const giving = steady.length > 0 ? steady : holding;
    const [first] = giving;
    if (first === undefined) return undefined;
    const peers = [...new Set(giving.map(({ peer }) => peer))];
    return { peers, bytes: first.sizes.get(id) ?? 0 };
  }
}

/** The piece itself: for a manifest, not what it describes. */
function pieceOf(id: Cid): Cid {
  return cidFromDigest("raw", parseCid(id).digest);
}
