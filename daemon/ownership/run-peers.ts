/** What is asked of other peers about one run. Who does not answer is told apart from who refuses by the caller's events. */
import type { Logger } from "../../src/env/logger.ts";
import { isMfError } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { RunOwner } from "../../src/model/journal.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  JOURNAL_PULL,
  RUN_APPEND,
  RUN_KEEP,
  RUN_OWN,
  RUN_STATE,
  RUN_TELL,
  type JournalPage,
  type JournalView,
  type OwnerNotice,
} from "../../src/wire/ownership-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import type { OtherState } from "./ownership-events.ts";
import {
  APPEND_TIMEOUT_MS,
  ASK_TIMEOUT_MS,
  HAND_OVER_TIMEOUT_MS,
  KEEP_TIMEOUT_MS,
} from "./ownership-limits.ts";

export interface RunPeersDeps {
  readonly transport: Pick<Transport, "request">;
  readonly logger: Logger;
}

export class RunPeers {
  readonly #run: RunRef;
  readonly #deps: RunPeersDeps;

  constructor(run: RunRef, deps: RunPeersDeps) {
    this.#run = run;
    this.#deps = deps;
  }

  /** @throws MfError PEER_FENCED and those of a request */
  append(to: PeerId, page: JournalPage): Promise<{ length: number }> {
    return this.#deps.transport.request(to, RUN_APPEND, page, { timeoutMs: APPEND_TIMEOUT_MS });
  }

  /** @throws MfError of a request */
  async pull(from: PeerId, view: JournalView): Promise<JournalPage | undefined> {
    const query = { run: this.#run, view };
    const options = { timeoutMs: APPEND_TIMEOUT_MS };
    return (await this.#deps.transport.request(from, JOURNAL_PULL, query, options)).page;
  }

  async keep(to: PeerId): Promise<boolean> {
    const { transport } = this.#deps;
    const options = { timeoutMs: KEEP_TIMEOUT_MS };
    const asked = transport.request(to, RUN_KEEP, { run: this.#run }, options);
    return (await this.#orNothing(to, "keep", asked))?.isStored ?? false;
  }

  /** Of those that answer in time and know the run. */
  async states(peers: readonly PeerId[]): Promise<OtherState[]> {
    const { transport } = this.#deps;
    const options = { timeoutMs: ASK_TIMEOUT_MS };
    const answers = await Promise.all(
      peers.map(async (peer): Promise<OtherState[]> => {
        const asked = transport.request(peer, RUN_STATE, { run: this.#run }, options);
        const { by, view } = (await this.#orNothing(peer, "state", asked)) ?? {};
        return by === undefined || view === undefined ? [] : [{ peer, by, view }];
      }),
    );
    return answers.flat();
  }

  /** Undefined where it did not answer. */
  tell(to: PeerId, notice: OwnerNotice): Promise<{ by?: RunOwner } | undefined> {
    const { transport } = this.#deps;
    const options = { timeoutMs: ASK_TIMEOUT_MS };
    return this.#orNothing(to, "tell", transport.request(to, RUN_TELL, notice, options));
  }

  /** Asks a keeper to take the run over; the owner that it is then. */
  async own(to: PeerId): Promise<RunOwner | undefined> {
    const { transport } = this.#deps;
    const options = { timeoutMs: HAND_OVER_TIMEOUT_MS };
    const asked = transport.request(to, RUN_OWN, { run: this.#run }, options);
    return (await this.#orNothing(to, "own-run", asked))?.by;
  }

  failed(what: string, peer: PeerId, error: unknown): void {
    const code = isMfError(error) ? error.code : "INTERNAL";
    const run = runText(this.#run);
    this.#deps.logger.debug("ownership-failed", { what, run, peer, code, message: String(error) });
  }

  async #orNothing<A>(peer: PeerId, what: string, asked: Promise<A>): Promise<A | undefined> {
    try {
      return await asked;
    } catch (error) {
      this.failed(what, peer, error);
      return undefined;
    }
  }
}
