/** Who has which content: answers others, asks others, and remembers for a moment what they said. */
import { cidFromDigest, cidOf, parseCid } from "../../src/artifact/cid.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import {
  HAVE,
  HAVE_IDS_MAX,
  INLINE_ALL_BYTES_MAX,
  INLINE_EACH_BYTES_MAX,
  INLINE_MANIFEST_BYTES_MAX,
  type HaveAnswer,
} from "../../src/wire/bulk-protocol.ts";
import { othersAlive, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import {
  ASKED_AT_ONCE_MAX,
  HAVE_AT_ONCE_MAX,
  HAVE_TIMEOUT_MS,
  HAVE_WAITING_MAX,
  HOLDERS_MAX,
  HOLDERS_TTL_MS,
} from "./bulk-limits.ts";
import { PeerTurns } from "./peer-turns.ts";

export interface HaveServiceDeps {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What one peer says it has. */
export interface Having {
  readonly peer: PeerId;
  readonly sizes: ReadonlyMap<Cid, number>;
  /** Content that came along, verified: of a cut artifact, its manifest. */
  readonly contents: ReadonlyMap<Cid, Uint8Array>;
  /** What came along and does not hash to its id. */
  readonly wrong: readonly Cid[];
}

export interface AskOptions {
  readonly inline: boolean;
  readonly signal?: AbortSignal;
}

export class HaveService {
  readonly stats = { asked: 0, answered: 0 };
  readonly #deps: HaveServiceDeps;
  readonly #turns = new PeerTurns({ atOnceMax: HAVE_AT_ONCE_MAX, waitingMax: HAVE_WAITING_MAX });
  /** What others said lately. */
  readonly #remembered = new Map<Cid, { readonly at: number; readonly peers: readonly PeerId[] }>();

  constructor(deps: HaveServiceDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#deps.transport.handle(HAVE, async (from, query) => {
      const answer = await this.#turns.run(from, () => this.#answer(query.ids, query.inline));
      if (answer !== undefined) return answer;
      const peer = this.#deps.transport.self;
      throw new MfError("PEER_UNREACHABLE", { peer, reason: "it answers many questions already" });
    });
  }

  /** Alive peers but those given, the nearest first. */
  others(except: ReadonlySet<PeerId>): PeerId[] {
    return othersAlive(this.#deps.directory)
      .filter(({ id }) => !except.has(id))
      .sort((a, b) => (a.latencyMs ?? Infinity) - (b.latencyMs ?? Infinity))
      .map(({ id }) => id);
  }

  /** Each peer's answer; those that do not answer are left out. */
  async ask(peers: readonly PeerId[], ids: readonly Cid[], options: AskOptions): Promise<Having[]> {
    const answers: Having[] = [];
    for (let at = 0; at < peers.length; at += ASKED_AT_ONCE_MAX) {
      if (options.signal?.aborted === true) break;
      const some = peers.slice(at, at + ASKED_AT_ONCE_MAX);
      const asked = await Promise.all(some.map((peer) => this.#askOne(peer, ids, options)));
      for (const answer of asked) if (answer !== undefined) answers.push(answer);
    }
    return answers;
  }

  /** Reachable peers that hold each id, this one not included; as they said at most HOLDERS_TTL_MS ago. */
  async holders(ids: readonly Cid[]): Promise<Map<Cid, readonly PeerId[]>> {
    const now = this.#deps.clock.monotonic();
    const unknown = ids.filter((id) => {
      const known = this.#remembered.get(id);
      // That nobody had it is not believed at all: it may have been made since.
      return known === undefined || known.peers.length === 0 || now - known.at > HOLDERS_TTL_MS;
    });
    if (unknown.length > 0) {
      const answers = await this.ask(this.others(new Set()), unknown, { inline: false });
      if (this.#remembered.size + unknown.length > HOLDERS_MAX) this.#remembered.clear();
      const at = this.#deps.clock.monotonic();
      for (const id of unknown) {
        const peers = answers.filter(({ sizes }) => sizes.has(id)).map(({ peer }) => peer);
        this.#remembered.set(id, { at, peers });
      }
    }
    const alive = new Set(this.others(new Set()));
    return new Map(
      ids.map((id) => {
        const peers = this.#remembered.get(id)?.peers ?? [];
        return [id, peers.filter((peer) => alive.has(peer))];
      }),
    );
  }

  /** It has just said that it holds these. */
  learnt(peer: PeerId, ids: readonly Cid[]): void {
    const now = this.#deps.clock.monotonic();
    for (const id of ids) {
      const known = this.#remembered.get(id);
      if (known === undefined || known.peers.includes(peer)) continue;
      this.#remembered.set(id, { at: now, peers: [...known.peers, peer] });
    }
  }

  async #askOne(
    peer: PeerId,
    ids: readonly Cid[],
    options: AskOptions,
  ): Promise<Having | undefined> {
    const sizes = new Map<Cid, number>();
    const contents = new Map<Cid, Uint8Array>();
    const wrong: Cid[] = [];
    try {
      for (let at = 0; at < ids.length; at += HAVE_IDS_MAX) {
        const some = ids.slice(at, at + HAVE_IDS_MAX);
        this.stats.asked++;
        const { inline, signal } = options;
        const answer = await this.#deps.transport.request(
          peer,
          HAVE,
          { ids: [...some], inline },
          { timeoutMs: HAVE_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) },
        );
        readAnswer(some, answer, { sizes, contents, wrong });
      }
      return { peer, sizes, contents, wrong };
    } catch (error) {
      this.#deps.logger.debug("bulk.have-failed", { peer, reason: String(error) });
      return sizes.size === 0 ? undefined : { peer, sizes, contents, wrong };
    }
  }

  async #answer(texts: readonly string[], mayInline: boolean): Promise<HaveAnswer> {
    this.stats.answered++;
    const ids = texts.map(validId);
    const asked = [...new Set(ids.filter((id) => id !== undefined))];
    const found = await this.#deps.store.locate(asked);
    const sizeOf = new Map(
      asked.map((id, i) => {
        const location = found[i];
        const bytes = location === undefined ? -1 : bytesOf(location);
        return [id, bytes];
      }),
    );
    const sizes = ids.map((id) => (id === undefined ? -1 : (sizeOf.get(id) ?? -1)));
    const inline: { at: number; data: Uint8Array }[] = [];
    if (!mayInline) return { sizes, inline };
    let left = INLINE_ALL_BYTES_MAX;
    const sent = new Set<Cid>();
    for (const [at, id] of ids.entries()) {
      const size = sizes[at] ?? -1;
      if (id === undefined || size < 0 || sent.has(id)) continue;
      sent.add(id);
      const data = await this.#small(id, size, left);
      if (data === undefined) continue;
      inline.push({ at, data });
      left -= data.length;
    }
    return { sizes, inline };
  }

  /** The content, or its manifest, where that is small enough to come with an answer. */
  async #small(id: Cid, size: number, left: number): Promise<Uint8Array | undefined> {
    const { codec, digest } = parseCid(id);
    const isManifest = codec === "dag-json";
    const bytesMax = Math.min(left, isManifest ? INLINE_MANIFEST_BYTES_MAX : INLINE_EACH_BYTES_MAX);
    if (!isManifest && size > bytesMax) return undefined;
    const piece = cidFromDigest("raw", digest);
    const [location] = isManifest ? await this.#deps.store.locate([piece]) : [{ bytes: size }];
    if (location === undefined || bytesOf(location) > bytesMax) return undefined;
    try {
      return await this.#deps.store.read(isManifest ? piece : id);
    } catch (error) {
      this.#deps.logger.warn("bulk.inline-failed", { id, reason: String(error) });
      return undefined;
    }
  }
}

function bytesOf(location: { readonly bytes: number } | { readonly inline: Uint8Array }): number {
  return "inline" in location ? location.inline.length : location.bytes;
}

/** Undefined where the text is no content id: such content is not here. */
function validId(text: string): Cid | undefined {
  try {
    parseCid(text);
    return text as Cid;
  } catch {
    return undefined;
  }
}

function readAnswer(
  ids: readonly Cid[],
  answer: HaveAnswer,
  into: { sizes: Map<Cid, number>; contents: Map<Cid, Uint8Array>; wrong: Cid[] },
): void {
  for (const [i, size] of answer.sizes.entries()) {
    const id = ids[i];
    if (id !== undefined && size >= 0) into.sizes.set(id, size);
  }
  for (const { at, data } of answer.inline) {
    const id = ids[at];
    if (id === undefined) continue;
    if (cidOf(parseCid(id).codec, data) === id) into.contents.set(id, data);
    else into.wrong.push(id);
  }
}
