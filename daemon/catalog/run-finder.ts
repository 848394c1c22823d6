/** Runs of the whole mesh: one entry for each, of whoever knows most about it, and who owns it. */
import { findRun } from "../../src/engine/lookup/run-lookup.ts";
import { hasEnded } from "../../src/client/run-result.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText, type Cid, type RunId, type RunRef } from "../../src/model/ids.ts";
import type { RunSummary } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { parsePathspec } from "../../src/model/pathspec.ts";
import { readRunAddress } from "../../src/model/run-address.ts";
import type { Store } from "../../src/store/ports.ts";
import { askRun, askRuns, PAGE_ROWS_MAX } from "../../src/wire/catalog-protocol.ts";
import { ROWS_PER_PEER_MAX } from "./catalog-limits.ts";
import type { OwnerRef } from "./live-runs.ts";
import type { PeerAsker } from "./peer-asker.ts";

/** A whole id, as the engine draws it (a shorter one is the beginning of one). */
const RUN_ID_LENGTH = 10;

function isWholeId(run: string | undefined): boolean {
  const address = run === undefined ? undefined : readRunAddress(run);
  if (typeof address !== "object" || address.k !== "id") return false;
  return address.id.length >= RUN_ID_LENGTH;
}

/** A run as one peer told it. */
export interface ToldRun {
  readonly peer: PeerId;
  readonly summary: RunSummary;
  readonly isLive: boolean;
  readonly packageId?: Cid;
}

export interface HeldRun {
  readonly summary: RunSummary;
  /** This one first, where it is among them. */
  readonly peers: readonly PeerId[];
}

export class RunFinder {
  readonly #asker: PeerAsker;
  readonly #store: Pick<Store, "areGone" | "marks">;

  /** Every peer has all marks, so this one's are asked: its removals hide a run, whoever still lists it. */
  constructor(asker: PeerAsker, store: Pick<Store, "areGone" | "marks">) {
    this.#asker = asker;
    this.#store = store;
  }

  /** Newest first. */
  async runs(flow?: string): Promise<RunSummary[]> {
    return (await this.held(flow)).map(({ summary }) => summary);
  }

  /** Newest first, each with the peers that have its journal as far as anybody does. */
  async held(flow?: string): Promise<HeldRun[]> {
    const answers = await this.#asker.everybody((peer) =>
      this.#asker.pages(ROWS_PER_PEER_MAX, (from) =>
        this.#asker.one(peer, askRuns, {
          from,
          limit: PAGE_ROWS_MAX,
          ...(flow === undefined ? {} : { flow }),
        }),
      ),
    );
    const best = new Map<string, ToldRun & { peers: PeerId[] }>();
    for (const { peer, answer } of answers) {
      for (const summary of answer) {
        if (flow !== undefined && summary.run.flow !== flow) continue;
        const told = { peer, summary, isLive: false, peers: [peer] };
        const key = runText(summary.run);
        const other = best.get(key);
        if (other === undefined || knowsMore(told, other)) best.set(key, told);
        else if (!knowsMore(other, told)) other.peers.push(peer);
      }
    }
    const held = [...best.values()];
    const gone = await this.#store.areGone(held.map(({ summary }) => summary.run));
    return held
      .filter((_, position) => gone[position] !== true)
      .sort((a, b) => b.summary.createdAt - a.summary.createdAt);
  }

  /** `flow/id`, with whatever findRun reads for the id. @throws MfError RUN_NOT_FOUND, TAG_NOT_FOUND, PATHSPEC_INVALID, PATHSPEC_AMBIGUOUS */
  async find(text: string): Promise<RunSummary> {
    const spec = parsePathspec(text);
    if (spec.k === "content" || spec.run === undefined || spec.step !== undefined)
      throw new MfError("PATHSPEC_INVALID", { text, reason: "a run is named flow/run" });
    if (!isWholeId(spec.run))
      return findRun(
        { runs: (flow) => this.runs(flow), marks: () => this.#store.marks() },
        spec.flow,
        spec.run,
      );
    const run = { flow: spec.flow, id: spec.run as RunId };
    const [best] = await this.told(run);
    if (best === undefined || (await this.#isGone(run)))
      throw new MfError("RUN_NOT_FOUND", { run: text });
    return best.summary;
  }

  /** Which run is meant; nobody is asked where it is known here by its whole id. */
  async refOf(text: string, isKnownHere: (run: RunRef) => Promise<boolean>): Promise<RunRef> {
    const spec = parsePathspec(text);
    if (spec.k === "flow" && isWholeId(spec.run) && spec.step === undefined) {
      const run = { flow: spec.flow, id: spec.run as RunId };
      if ((await isKnownHere(run)) && !(await this.#isGone(run))) return run;
    }
    return (await this.find(text)).run;
  }

  /** As refOf, and also a run that was removed where it is called by its whole name. */
  async refOfAny(text: string): Promise<RunRef> {
    const spec = parsePathspec(text);
    if (spec.k === "flow" && isWholeId(spec.run) && spec.step === undefined)
      return { flow: spec.flow, id: spec.run as RunId };
    return (await this.find(text)).run;
  }

  /** What everybody says of one run, whoever knows most first. */
  async told(run: RunRef): Promise<ToldRun[]> {
    const answers = await this.#asker.everybody((peer) => this.#asker.one(peer, askRun, { run }));
    const told = answers.flatMap(({ peer, answer: { summary, isLive, packageId } }) =>
      summary === undefined || runText(summary.run) !== runText(run)
        ? []
        : [{ peer, summary, isLive, ...(packageId === undefined ? {} : { packageId }) }],
    );
    return told.sort((a, b) => Number(knowsMore(b, a)) - Number(knowsMore(a, b)));
  }

  async #isGone(run: RunRef): Promise<boolean> {
    const [isGone] = await this.#store.areGone([run]);
    return isGone === true;
  }

  /** Whom to ask how the run stands: its owner; of a run that has ended, whoever has its journal. */
  async locate(run: RunRef): Promise<OwnerRef | undefined> {
    const told = await this.told(run);
    const [best] = told;
    const source = told.find(({ isLive }) => isLive) ?? best;
    if (source === undefined) return undefined;
    if (!source.isLive && !hasEnded(source.summary)) return undefined;
    return { peer: source.peer, name: this.#asker.nameOf(source.peer) };
  }
}

/** An end is the last word; else the newer ballot, the peer that owns it, and whoever has seen more of it. */
function knowsMore(a: ToldRun, b: ToldRun): boolean {
  const left = rankOf(a);
  const right = rankOf(b);
  const at = left.findIndex((value, position) => value !== right[position]);
  return at >= 0 && (left[at] ?? 0) > (right[at] ?? 0);
}

function rankOf({ peer, summary, isLive }: ToldRun): number[] {
  const { counts, owner } = summary;
  return [
    Number(hasEnded(summary)),
    owner?.ballot ?? 0,
    Number(isLive || owner?.peer === peer),
    counts.succeeded + counts.failed,
    counts.total,
  ];
}
