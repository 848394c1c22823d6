/** Content between peers, put together: the ContentExchange that the rest of the daemon sees. Start here. */
import { isIP } from "node:net";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store } from "../../src/store/ports.ts";
import { DOUBT, TICKET } from "../../src/wire/bulk-protocol.ts";
import type { BringOptions, ContentExchange } from "../../src/wire/content-exchange.ts";
import type { PeerDirectory } from "../../src/wire/peer-directory.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { Bandwidth } from "./bandwidth.ts";
import { BringService } from "./bring-service.ts";
import {
  SERVE_IDLE_MS,
  STALL_MS,
  TICKET_TIMEOUT_MS,
  TICKET_TTL_MS,
  TRANSFER_MS_BASE,
} from "./bulk-limits.ts";
import { ContentFetch } from "./content-fetch.ts";
import { Doubts } from "./doubts.ts";
import { FetchThreads } from "./fetch-threads.ts";
import { HaveService } from "./have-service.ts";
import { ReadingStore } from "./reading-store.ts";
import { ServeService } from "./serve-service.ts";
import { SpreadService } from "./spread-service.ts";
import type { LaneOpening } from "./thread-messages.ts";
import { TransferSlots } from "./transfer-slots.ts";

export interface BulkParts {
  readonly transport: Transport;
  readonly directory: PeerDirectory;
  /** The local one. */
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly home: string;
  /** Interface on which the lane listens, as the daemon does: an address (0.0.0.0 for all), a name, or a multiaddr. */
  readonly host: string;
  /** @default STALL_MS */
  readonly stallMs?: number;
  /** @default TRANSFER_MS_BASE */
  readonly transferMs?: number;
  /** @default TICKET_TTL_MS */
  readonly ticketTtlMs?: number;
}

export interface BulkStats {
  /** Contents brought here, and asked for in vain. */
  readonly brought: number;
  readonly missing: number;
  readonly transfers: number;
  readonly fetchedBytes: number;
  readonly servedBytes: number;
  readonly lanesServed: number;
  /** Pieces that did not hash to their id, and sources that stalled. */
  readonly wrongPieces: number;
  readonly stalls: number;
  /** Connections to the lane that had no ticket. */
  readonly lanesRefused: number;
  /** Contents that wait for copies on other peers; made so far; kept for others. */
  readonly spreadPending: number;
  readonly copied: number;
  readonly held: number;
}

export interface Bulk extends ContentExchange {
  /** Registers with the transport: before that starts, so that nothing is missed. */
  start(): void;
  /** Ends every transfer and every thread. */
  stop(): Promise<void>;
  /** A Store that brings what it is asked to read. */
  openReading(store: Store): Store;
  /** Closes the lanes of a peer that was revoked. */
  refuse(peer: PeerId): void;
  /** Learnt bytes a second from this peer; undefined before anything large came from it. */
  bandwidth(peer: PeerId): number | undefined;
  stats(): BulkStats;
}

export function createBulk(parts: BulkParts): Bulk {
  return new BulkService(parts);
}

class BulkService implements Bulk {
  readonly #parts: BulkParts;
  readonly #bandwidth = new Bandwidth();
  readonly #serve: ServeService;
  readonly #have: HaveService;
  readonly #threads: FetchThreads;
  readonly #fetch: ContentFetch;
  readonly #bring: BringService;
  readonly #spread: SpreadService;
  readonly #doubts: Doubts;

  constructor(parts: BulkParts) {
    const { transport, store, clock, logger, random, home } = parts;
    this.#parts = parts;
    this.#serve = new ServeService(parts, {
      host: parts.host,
      ticketTtlMs: parts.ticketTtlMs ?? TICKET_TTL_MS,
      idleMs: SERVE_IDLE_MS,
    });
    this.#doubts = new Doubts(parts);
    this.#have = new HaveService(parts);
    this.#threads = new FetchThreads(
      {
        clock,
        logger,
        random,
        openLane: (peer) => this.#openLane(peer),
        onSpeed: (peer, bytes, ms) => this.#bandwidth.add(peer, bytes, ms),
      },
      { scratchDir: store.scratchDir, stallMs: parts.stallMs ?? STALL_MS },
    );
    const slots = new TransferSlots();
    this.#fetch = new ContentFetch({
      transport,
      store,
      clock,
      logger,
      threads: this.#threads,
      slots,
      home,
      transferMs: parts.transferMs ?? TRANSFER_MS_BASE,
    });
    this.#bring = new BringService({ ...parts, have: this.#have, fetch: this.#fetch });
    this.#spread = new SpreadService({ ...parts, have: this.#have, bring: this.#bring });
  }

  start(): void {
    this.#serve.start();
    this.#have.start();
    this.#spread.start();
    this.#parts.transport.listen(DOUBT, (from, { digests }) => {
      void this.#doubts.look(from, digests);
    });
  }

  async stop(): Promise<void> {
    this.#spread.stop();
    const brought = this.#bring.stop();
    // Threads first: transfers end when they do.
    await this.#threads.stop();
    await brought;
    await this.#serve.stop();
  }

  bring(ids: readonly Cid[], options?: BringOptions): Promise<void> {
    return this.#bring.bring(ids, options);
  }

  async holders(ids: readonly Cid[]): Promise<ReadonlyMap<Cid, readonly PeerId[]>> {
    const [others, here] = await Promise.all([this.#have.holders(ids), this.#parts.store.has(ids)]);
    const { self } = this.#parts.directory;
    return new Map(
      ids.map((id, i) => {
        const peers = others.get(id) ?? [];
        return [id, here[i] === true ? [self, ...peers] : peers];
      }),
    );
  }

  spread(ids: readonly Cid[], copies: number): void {
    this.#spread.spread(ids, copies);
  }

  openReading(store: Store): Store {
    return new ReadingStore(store, this, this.#have);
  }

  refuse(peer: PeerId): void {
    this.#serve.refuse(peer);
  }

  bandwidth(peer: PeerId): number | undefined {
    return this.#bandwidth.of(peer);
  }

  stats(): BulkStats {
    return {
      ...this.#bring.stats,
      ...this.#fetch.stats,
      ...this.#spread.stats,
      servedBytes: this.#serve.stats.servedBytes,
      lanesServed: this.#serve.stats.lanes,
      lanesRefused: this.#serve.stats.refused,
      spreadPending: this.#spread.pending,
    };
  }

  async #openLane(peer: PeerId): Promise<Omit<LaneOpening, "peer">> {
    const { transport } = this.#parts;
    const { hosts, port, identity, key } = await transport.request(
      peer,
      TICKET,
      { lane: "tls-psk" },
      { timeoutMs: TICKET_TIMEOUT_MS },
    );
    // Addresses only: a peer must not make this one look up names.
    return { hosts: hosts.filter((host) => isIP(host) !== 0), port, identity, key };
  }
}
