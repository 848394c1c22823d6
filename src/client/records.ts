/**
 * What explaining and repeating commands read: journals, facts and contents, wherever they are. One implementation, over a ReadSide,
 * so it is the same with a store in this process, with the process that holds it, and with a mesh behind a daemon.
 */
import { digestHexOf, parseCid } from "../artifact/cid.ts";
import { decodeValue } from "../artifact/codec.ts";
import type { FlowPackage } from "../code/flow-package.ts";
import { MfError } from "../model/errors.ts";
import type { Fact, FactRef } from "../model/fact.ts";
import { runText, type Cid, type RunRef } from "../model/ids.ts";
import type { JournalEntry, RunSummary } from "../model/journal.ts";
import type { PeerId } from "../model/peer.ts";
import type { ContentLocation } from "../store/ports.ts";
import { readLocation, streamLocation } from "../store/segment/segment-reader.ts";
import { contentCodecOf } from "./content-codec.ts";
import { FACTS_MAX, SIGNERS_MAX, type ReadSide, type SignerStanding } from "./control/read-side.ts";

/** Contents that are located, and so brought, with one question. */
const LOCATE_BATCH = 4096;

export class Records {
  readonly side: ReadSide;
  readonly #packages = new Map<Cid, Promise<FlowPackage>>();

  constructor(side: ReadSide) {
    this.side = side;
  }

  /** Newest first. */
  runs(flow?: string): Promise<readonly RunSummary[]> {
    return this.side.runs(flow);
  }

  journal(run: RunRef): Promise<readonly JournalEntry[]> {
    return this.side.journal(runText(run));
  }

  /** How the run began. @throws MfError RUN_NOT_FOUND */
  async started(run: RunRef): Promise<Extract<JournalEntry, { t: "run-started" }>> {
    for (const entry of await this.journal(run)) if (entry.t === "run-started") return entry;
    throw new MfError("RUN_NOT_FOUND", { run: runText(run) });
  }

  async facts(refs: readonly FactRef[]): Promise<(Fact | undefined)[]> {
    const found: (Fact | undefined)[] = [];
    for (let at = 0; at < refs.length; at += FACTS_MAX)
      found.push(...(await this.side.facts(refs.slice(at, at + FACTS_MAX))));
    return found;
  }

  /** Read once for all who ask. @throws MfError CONTENT_MISSING */
  flowPackage(id: Cid): Promise<FlowPackage> {
    let read = this.#packages.get(id);
    if (read === undefined) {
      read = this.read(id).then(
        (data) => JSON.parse(Buffer.from(data).toString("utf8")) as FlowPackage,
      );
      this.#packages.set(id, read);
    }
    return read;
  }

  /** True where a copy can be reached; brings nothing. */
  async has(ids: readonly Cid[]): Promise<boolean[]> {
    const found: boolean[] = [];
    for (let at = 0; at < ids.length; at += LOCATE_BATCH)
      found.push(...(await this.side.reachable(ids.slice(at, at + LOCATE_BATCH))));
    return found;
  }

  /** So that what comes from other peers comes in one go; what is nowhere is missed when it is read. */
  async bring(ids: readonly Cid[]): Promise<void> {
    for (let at = 0; at < ids.length; at += LOCATE_BATCH)
      await this.side.locate(ids.slice(at, at + LOCATE_BATCH));
  }

  /** The whole content, verified. @throws MfError CONTENT_MISSING, CONTENT_MISMATCH */
  async read(id: Cid): Promise<Uint8Array> {
    return readVerified(id, await this.#locate(id));
  }

  /** The whole content in verified pieces, for what may be larger than memory. @throws MfError CONTENT_MISSING, CONTENT_MISMATCH */
  async *stream(id: Cid): AsyncGenerator<Uint8Array> {
    const location = await this.#locate(id);
    if ("inline" in location) yield readVerified(id, location);
    else yield* streamLocation(location);
  }

  /** The value: bytes as they are, or what a structured value decodes to. @throws MfError CONTENT_MISSING, CONTENT_MISMATCH */
  async value(id: Cid): Promise<unknown> {
    const location = await this.#locate(id);
    const data = readVerified(id, location);
    return contentCodecOf(id, location) === "raw" ? data : decodeValue(data);
  }

  /** Where each of them is; undefined where no copy can be reached. */
  async places(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    const found: (ContentLocation | undefined)[] = [];
    for (let at = 0; at < ids.length; at += LOCATE_BATCH)
      found.push(...(await this.side.locate(ids.slice(at, at + LOCATE_BATCH))));
    return found;
  }

  /** What this home knows of those who sign. */
  async signers(peers: readonly PeerId[]): Promise<SignerStanding[]> {
    const found: SignerStanding[] = [];
    for (let at = 0; at < peers.length; at += SIGNERS_MAX)
      found.push(...(await this.side.signers(peers.slice(at, at + SIGNERS_MAX))));
    return found;
  }

  async #locate(id: Cid): Promise<ContentLocation> {
    const [location] = await this.side.locate([id]);
    if (location === undefined) throw new MfError("CONTENT_MISSING", { id });
    return location;
  }
}

/** Parts of segments are checked as they are read; what came inline is checked here. */
function readVerified(id: Cid, location: ContentLocation): Uint8Array {
  const data = readLocation(location);
  if ("inline" in location && digestHexOf(data) !== parseCid(id).digest)
    throw new MfError("CONTENT_MISMATCH", { id });
  return data;
}
