/** Asks the other peers of the mesh for a collection: a list counts only when it came whole, and who is missing is remembered. */
import type { PeerId } from "../../src/model/peer.ts";
import { othersAlive, peerName, type PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { RequestType, Transport } from "../../src/wire/transport.ts";
import type { Logger } from "../../src/env/logger.ts";
import { isMfError } from "../../src/model/errors.ts";
import { ASK_MS_MAX, ROWS_MAX } from "./collection-limits.ts";

export interface MeshAskerDeps {
  readonly transport: Pick<Transport, "request">;
  readonly directory: PeerDirectory;
  readonly logger: Logger;
}

interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next?: number | undefined;
}

export class MeshAsker {
  readonly #deps: MeshAskerDeps;
  readonly #missing = new Set<PeerId>();

  constructor(deps: MeshAskerDeps) {
    this.#deps = deps;
  }

  get others(): readonly PeerId[] {
    return othersAlive(this.#deps.directory).map((peer) => peer.id);
  }

  /** Peers that have not left for good and did not answer everything they were asked, or were not asked. */
  get missing(): readonly string[] {
    const { directory } = this.#deps;
    return directory
      .peers()
      .filter(({ id, isSelf, state }) => {
        return !isSelf && state !== "left" && (state !== "alive" || this.#missing.has(id));
      })
      .map((view) => peerName(view, view.id));
  }

  /** Undefined where it did not answer. */
  async one<Q, A>(
    peer: PeerId,
    type: RequestType<Q, A>,
    query: Q,
    timeoutMs = ASK_MS_MAX,
  ): Promise<A | undefined> {
    try {
      return await this.#deps.transport.request(peer, type, query, { timeoutMs });
    } catch (error) {
      const code = isMfError(error) ? error.code : "INTERNAL";
      this.#deps.logger.debug("collection.unanswered", { peer, question: type.name, code });
      this.#missing.add(peer);
      return undefined;
    }
  }

  /** Page after page; undefined where not all of it came. */
  async list<Row>(
    peer: PeerId,
    ask: (from: number) => Promise<Page<Row> | undefined>,
  ): Promise<Row[] | undefined> {
    const rows: Row[] = [];
    let from = 0;
    for (;;) {
      const page = await ask(from);
      if (page === undefined) return undefined;
      for (const row of page.rows) rows.push(row);
      if (page.next === undefined) return rows;
      if (page.next <= from || rows.length > ROWS_MAX) break;
      from = page.next;
    }
    this.#missing.add(peer);
    return undefined;
  }
}
