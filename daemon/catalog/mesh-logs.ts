/**
 * Logs of a run from every peer that ran part of it, merged by time. Each file (a peer's, of one step) is read in pages from where
 * the last one ended. A line is handed on once every file has been read beyond its time, so that no older one can come after it.
 */
import type { Emit } from "../../src/client/control/control-protocol.ts";
import type { LogLine } from "../../src/client/control/daemon-side.ts";
import { LineJoiner, type StepLine } from "../../src/client/run-logs.ts";
import { delay, type Clock } from "../../src/env/clock.ts";
import { MfError } from "../../src/model/errors.ts";
import type { RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { askLogs, LOG_PAGE_BYTES_MAX } from "../../src/wire/catalog-protocol.ts";
import {
  LOG_BUFFER_BYTES,
  LOG_LINES_BATCH,
  LOG_PAGE_BYTES_MIN,
  LOG_POLL_MS,
  LOG_POLL_PEERS,
  LOG_SOURCES_MAX,
} from "./catalog-limits.ts";
import type { PeerAsker } from "./peer-asker.ts";

export interface MeshLogsDeps {
  readonly asker: PeerAsker;
  readonly clock: Clock;
  /** True once the run has ended: what was printed is then all there. */
  readonly hasEnded: (run: RunRef) => Promise<boolean>;
}

export interface MeshLogsRequest {
  readonly run: RunRef;
  readonly step?: string;
  readonly index?: readonly number[];
  readonly follow: boolean;
  readonly onEvent: Emit<readonly LogLine[]>;
  readonly signal: AbortSignal;
}

interface Source {
  readonly peer: PeerId;
  readonly step: string;
  readonly joiner: LineJoiner;
  readonly lines: StepLine[];
  from: number;
  /** Nothing more for now, or it does not answer. */
  isEnd: boolean;
}

/** @throws MfError INTERRUPTED where the signal aborts */
export async function streamLogs(deps: MeshLogsDeps, request: MeshLogsRequest): Promise<void> {
  const reader = new MeshLogReader(deps, request);
  for (let rounds = 0; ; rounds++) {
    // The state first: what was printed before the run ended is then read below.
    const isLast = !request.follow || (await deps.hasEnded(request.run));
    await reader.round();
    if (rounds === 0) await request.onEvent([]);
    if (isLast) return reader.finish();
    const share = Math.ceil(reader.peerCount / LOG_POLL_PEERS);
    await delay(deps.clock, LOG_POLL_MS * Math.max(1, share), request.signal);
    if (request.signal.aborted) throw new MfError("INTERRUPTED");
  }
}

class MeshLogReader {
  readonly #deps: MeshLogsDeps;
  readonly #request: MeshLogsRequest;
  readonly #sources = new Map<string, Source>();

  constructor(deps: MeshLogsDeps, request: MeshLogsRequest) {
    this.#deps = deps;
    this.#request = request;
  }

  /** Peers that answered the last question. */
  peerCount = 0;

  /** Everything that is there now. */
  async round(): Promise<void> {
    await this.#findSources();
    const sources = [...this.#sources.values()];
    for (const source of sources) source.isEnd = false;
    for (;;) {
      if (this.#request.signal.aborted) throw new MfError("INTERRUPTED");
      await this.#refill(sources.filter((source) => !source.isEnd && source.lines.length === 0));
      await this.#tell(takeRipe(sources));
      if (sources.every((source) => source.isEnd && source.lines.length === 0)) return;
    }
  }

  async finish(): Promise<void> {
    const rest = [...this.#sources.values()].flatMap((source) =>
      source.joiner.end().map((line) => ({ source, line })),
    );
    await this.#tell(rest);
  }

  async #findSources(): Promise<void> {
    const { run, step } = this.#request;
    const { asker } = this.#deps;
    const answers = await asker.everybody((peer) =>
      asker.one(peer, askLogs, { run, bytesMax: LOG_PAGE_BYTES_MIN }),
    );
    this.peerCount = answers.length;
    for (const { peer, answer } of answers) {
      for (const name of answer.steps) {
        const key = `${peer}/${name}`;
        const isWanted = step === undefined || step === name;
        if (!isWanted || this.#sources.has(key) || this.#sources.size >= LOG_SOURCES_MAX) continue;
        this.#sources.set(key, {
          peer,
          step: name,
          joiner: new LineJoiner(name),
          lines: [],
          from: 0,
          isEnd: false,
        });
      }
    }
  }

  /** Peers side by side, the files of one peer one after another. */
  async #refill(sources: readonly Source[]): Promise<void> {
    const peers = new Set(sources.map((source) => source.peer));
    await Promise.all(
      [...peers].map(async (peer) => {
        for (const source of sources) if (source.peer === peer) await this.#read(source);
      }),
    );
  }

  async #read(source: Source): Promise<void> {
    const { run, index } = this.#request;
    const share = Math.floor(LOG_BUFFER_BYTES / Math.max(1, this.#sources.size));
    const answer = await this.#deps.asker.one(source.peer, askLogs, {
      run,
      step: source.step,
      from: source.from,
      bytesMax: Math.min(LOG_PAGE_BYTES_MAX, Math.max(LOG_PAGE_BYTES_MIN, share)),
      ...(index === undefined ? {} : { index }),
    });
    if (answer === undefined) {
      source.isEnd = true;
      return;
    }
    for (const record of answer.records) {
      const line = source.joiner.add(record);
      if (line !== undefined) source.lines.push(line);
    }
    // A page that does not lead on would be asked for ever.
    source.isEnd = answer.isEnd || answer.next <= source.from;
    source.from = Math.max(source.from, answer.next);
  }

  async #tell(taken: readonly Taken[]): Promise<void> {
    for (let at = 0; at < taken.length; at += LOG_LINES_BATCH) {
      await this.#request.onEvent(
        taken.slice(at, at + LOG_LINES_BATCH).map(({ source, line }) => ({
          peer: this.#deps.asker.nameOf(source.peer),
          step: line.step,
          index: line.index,
          attempt: line.attempt,
          at: line.at,
          stream: line.stream === "err" ? ("stderr" as const) : ("stdout" as const),
          text: line.text,
        })),
      );
    }
  }
}

interface Taken {
  readonly source: Source;
  readonly line: StepLine;
}

/** Lines up to the least time that every file which goes on has been read to. */
function takeRipe(sources: readonly Source[]): Taken[] {
  let until = Infinity;
  for (const { isEnd, lines } of sources)
    if (!isEnd) until = Math.min(until, lines.at(-1)?.at ?? -Infinity);
  const taken: Taken[] = [];
  for (const source of sources) {
    const count = source.lines.findIndex((line) => line.at > until);
    const ripe = source.lines.splice(0, count < 0 ? source.lines.length : count);
    for (const line of ripe) taken.push({ source, line });
  }
  return taken.sort((a, b) => a.line.at - b.line.at);
}
