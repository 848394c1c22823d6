/** Fetches pieces from sources through the threads, and makes every received segment part of the store as soon as it is there. */
import { rmSync } from "node:fs";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { Store, WrittenSegment } from "../../src/store/ports.ts";
import { DOUBT } from "../../src/wire/bulk-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import {
  MULTI_SOURCE_BYTES_MIN,
  SMALL_BYTES_MAX,
  SOURCES_MAX,
  TRANSFER_BYTES_PER_MS_MIN,
  TRANSFER_PIECES_MAX,
} from "./bulk-limits.ts";
import { THREAD_DIED, type Fetch, type FetchEnd, type FetchThreads } from "./fetch-threads.ts";
import { GatheredFetches } from "./gathered-fetches.ts";
import type { DropReason, Want } from "./thread-messages.ts";
import type { ContentFetchOptions, PieceGroup, TransferOptions } from "./transfer-options.ts";
import type { TransferSlots } from "./transfer-slots.ts";

export interface ContentFetchDeps {
  readonly transport: Transport;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly threads: FetchThreads;
  readonly slots: TransferSlots;
  /** Of this peer: for the error that says its disk is full. */
  readonly home: string;
  /** A transfer may take this and 1 ms a KB. */
  readonly transferMs: number;
}

export class ContentFetch {
  readonly stats = { transfers: 0, fetchedBytes: 0, wrongPieces: 0, stalls: 0 };
  readonly #deps: ContentFetchDeps;
  readonly #gathered = new GatheredFetches((group, options) => {
    const bytes = bytesOf(group.wants);
    return this.#deps.slots.run(bytes, () => this.#transfer(group, bytes, options));
  });

  constructor(deps: ContentFetchDeps) {
    this.#deps = deps;
  }

  /** Brings what the peers give; on return all of that is durable here. @throws MfError STORE_FULL and what the store throws */
  async fetch(group: PieceGroup, options: ContentFetchOptions): Promise<void> {
    const total = bytesOf(group.wants);
    await this.#checkSpace(total, options.reserveBytes());
    if (total <= SMALL_BYTES_MAX && group.wants.length <= TRANSFER_PIECES_MAX) {
      return this.#gathered.fetch(group, total, options);
    }
    const parts: TransferOptions = { ...options, onStored: () => undefined };
    for (let at = 0; at < Math.max(1, group.wants.length); at += TRANSFER_PIECES_MAX) {
      if (options.signal.aborted) return;
      const wants = group.wants.slice(at, at + TRANSFER_PIECES_MAX);
      const bytes = bytesOf(wants);
      const known = at === 0 ? group.known : [];
      await this.#deps.slots.run(bytes, () => {
        return this.#transfer({ wants, known, peers: group.peers }, bytes, parts);
      });
    }
  }

  async #checkSpace(bytes: number, reserveBytes: number): Promise<void> {
    const { freeBytes } = await this.#deps.store.stats();
    if (freeBytes < bytes + reserveBytes) {
      throw new MfError("STORE_FULL", { home: this.#deps.home, needBytes: bytes, freeBytes });
    }
  }

  async #transfer(group: PieceGroup, bytes: number, options: TransferOptions): Promise<void> {
    if (options.signal.aborted) return;
    this.stats.transfers++;
    const commits: Promise<void>[] = [];
    let failure: Error | undefined;
    const fetch: Fetch = this.#deps.threads.fetch({
      ...group,
      onProgress: (count) => {
        this.stats.fetchedBytes += count;
        options.onProgress(count);
      },
      onSegment: (segment) => {
        const kept = this.#keep(segment, options).catch((error: unknown) => {
          failure ??= error as Error;
          fetch.cancel();
        });
        commits.push(kept);
      },
      onDropped: (peer, why, digest) => this.#dropped(options, peer, why, digest),
    });
    const end = await this.#guarded(fetch, group, bytes, options);
    await Promise.all(commits);
    if (failure !== undefined) throw failure;
    if (end.failure !== undefined) throw this.#writeFailure(end.failure);
  }

  /** With its deadline, the caller's signal, and more sources where it is large. */
  async #guarded(
    fetch: Fetch,
    group: PieceGroup,
    bytes: number,
    options: TransferOptions,
  ): Promise<FetchEnd> {
    const ms = this.#deps.transferMs + bytes / TRANSFER_BYTES_PER_MS_MIN;
    const cancel = (): void => fetch.cancel();
    const late = (): void => {
      // Each of them gave something now and then, or it had been left: others first from now on, or the next round is like this one.
      for (const peer of group.peers) this.#dropped(options, peer, "slow", undefined);
      fetch.cancel();
    };
    const cancelDeadline = this.#deps.clock.after(ms, late, { unref: true });
    options.signal.addEventListener("abort", cancel, { once: true });
    if (bytes >= MULTI_SOURCE_BYTES_MIN) void this.#addSources(fetch, group.peers, options);
    try {
      return await fetch.done;
    } finally {
      cancelDeadline();
      options.signal.removeEventListener("abort", cancel);
    }
  }

  async #addSources(
    fetch: Fetch,
    peers: readonly PeerId[],
    options: TransferOptions,
  ): Promise<void> {
    const more = await options.moreSources();
    const fresh = more.filter((peer) => !peers.includes(peer));
    for (const peer of fresh.slice(0, Math.max(0, SOURCES_MAX - peers.length))) {
      fetch.addPeer(peer);
    }
  }

  async #keep(segment: WrittenSegment, options: TransferOptions): Promise<void> {
    try {
      await this.#deps.store.commit({ written: [segment] });
    } catch (error) {
      rmSync(segment.file, { force: true });
      throw error;
    }
    for (const { digest, bytes } of segment.records) options.onStored(digest, bytes);
  }

  #dropped(
    options: TransferOptions,
    peer: PeerId,
    why: DropReason,
    digest: string | undefined,
  ): void {
    const { logger, transport } = this.#deps;
    if (why === "stalled") this.stats.stalls++;
    if (why !== "wrong") {
      logger.info("bulk.source-left", { peer, why });
      return options.onLeft(peer);
    }
    this.stats.wrongPieces++;
    logger.warn("bulk.wrong-bytes", { peer, digest });
    options.onWrong(peer);
    if (digest !== undefined) transport.send(peer, DOUBT, { digests: [digest] });
  }

  #writeFailure({ code, message }: { code: string; message: string }): MfError {
    const { home } = this.#deps;
    if (code === THREAD_DIED) return new MfError("INTERNAL", { message });
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    if (isFull) return new MfError("STORE_FULL", { home });
    return new MfError("STORE_UNWRITABLE", { home, reason: message });
  }
}

function bytesOf(wants: readonly Want[]): number {
  return wants.reduce((sum, want) => sum + want.bytesGuess, 0);
}
