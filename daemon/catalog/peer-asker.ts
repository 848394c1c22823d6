/** Asks peers, each with a deadline; this one is asked without a wire. Who does not answer is remembered by name, never an error. */
import type { Logger } from "../../src/env/logger.ts";
import { isMfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { othersAlive, peerName, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { RequestType, Transport } from "../../src/wire/transport.ts";
import { ASK_MS_MAX } from "./catalog-limits.ts";

export interface PeerAskerDeps {
  readonly transport: Pick<Transport, "request">;
  readonly directory: PeerDirectory;
  readonly logger: Logger;
  readonly selfName: string;
  /** Answers this peer's own questions. */
  readonly answerHere: <Q, A>(type: RequestType<Q, A>, query: Q) => Promise<A>;
}

export interface Answered<A> {
  readonly peer: PeerId;
  readonly name: string;
  readonly answer: A;
}

export class PeerAsker {
  readonly #deps: PeerAskerDeps;
  #unanswered: readonly string[] = [];

  constructor(deps: PeerAskerDeps) {
    this.#deps = deps;
  }

  get self(): PeerId {
    return this.#deps.directory.self;
  }

  /** Names of alive peers that did not answer the last question to everybody. */
  get unanswered(): readonly string[] {
    return this.#unanswered;
  }

  nameOf(peer: PeerId): string {
    const { directory, selfName } = this.#deps;
    return peer === directory.self ? selfName : peerName(directory.get(peer), peer);
  }

  /** Undefined where it did not answer. */
  async one<Q, A>(
    peer: PeerId,
    type: RequestType<Q, A>,
    query: Q,
    timeoutMs = ASK_MS_MAX,
  ): Promise<A | undefined> {
    if (peer === this.self) return this.#deps.answerHere(type, query);
    try {
      return await this.#deps.transport.request(peer, type, query, { timeoutMs });
    } catch (error) {
      const code = isMfError(error) ? error.code : "INTERNAL";
      this.#deps.logger.debug("catalog.unanswered", { peer, question: type.name, code });
      return undefined;
    }
  }

  /** Every alive peer at once, this one first; `ask` may put several questions to one. */
  async everybody<A>(
    ask: (peer: PeerId) => Promise<A | undefined>,
    options: { readonly withSelf?: boolean } = {},
  ): Promise<Answered<A>[]> {
    const others = othersAlive(this.#deps.directory).map((peer) => peer.id);
    const peers = options.withSelf === false ? others : [this.self, ...others];
    const answers = await Promise.all(peers.map(ask));
    const answered: Answered<A>[] = [];
    const unanswered: string[] = [];
    for (const [at, peer] of peers.entries()) {
      const answer = answers[at];
      const name = this.nameOf(peer);
      if (answer === undefined) unanswered.push(name);
      else answered.push({ peer, name, answer });
    }
    this.#unanswered = unanswered;
    return answered;
  }

  /** Page after page; what came before a page that failed is kept. Undefined where not even the first came. */
  async pages<Row>(
    rowsMax: number,
    ask: (
      from: number,
    ) => Promise<{ readonly rows: readonly Row[]; readonly next?: number | undefined } | undefined>,
  ): Promise<Row[] | undefined> {
    const rows: Row[] = [];
    let from = 0;
    while (rows.length < rowsMax) {
      const page = await ask(from);
      if (page === undefined) return from === 0 ? undefined : rows;
      for (const row of page.rows) rows.push(row);
      // A page that does not lead on would be asked for ever.
      if (page.next === undefined || page.next <= from) return rows;
      from = page.next;
    }
    return rows;
  }
}
