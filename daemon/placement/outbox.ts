/**
 * Outcomes of other peers' batches until their owner has taken them: sent again with growing pauses, to a new owner where there is one.
 * Bounded in bytes and time; what is dropped is still a fact in this peer's store.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { isMfError, toErrorRecord } from "../../src/model/errors.ts";
import type { RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { HAND_IN, type HandedIn, type WorkingLease } from "../../src/wire/placement-protocol.ts";
import type { Room } from "../../src/wire/placement-values.ts";
import type { Transport } from "../../src/wire/transport.ts";
import {
  GRANT_MS_MAX,
  OUTBOX_BYTES_MAX,
  OUTBOX_LEASES_MAX,
  OUTBOX_MS_MAX,
  OUTBOX_PAUSE_MS,
  OUTBOX_PAUSE_MS_MAX,
} from "./placement-limits.ts";

export interface OutboxDeps {
  readonly transport: Transport;
  /** Where this peer owns the run itself, as it does after it took it over. */
  handInHere(message: HandedIn): { readonly verdict: "taken" | "unknown" };
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the owner may count on next. */
  roomFor(owner: PeerId): Room;
  /** One less to be taken. */
  emptied(): void;
}

export interface FinishedLease {
  readonly working: WorkingLease;
  readonly run: RunRef;
  readonly owner: PeerId;
  /** Encoded outcomes, in parts. */
  readonly parts: readonly Uint8Array[][];
  readonly isUnfit: boolean;
}

interface Entry extends Omit<FinishedLease, "owner"> {
  owner: PeerId;
  readonly bytes: number;
  readonly sinceMs: number;
  /** Parts before this one are taken. */
  next: number;
  pauseMs: number;
  isSending: boolean;
  cancelTimer: (() => void) | undefined;
}

export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #isClosed = false;

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#entries.size;
  }

  leases(): { readonly lease: string; readonly owner: PeerId }[] {
    return [...this.#entries].map(([lease, { owner }]) => ({ lease, owner }));
  }

  ofRun(run: RunRef): WorkingLease[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.run.flow === run.flow && entry.run.id === run.id)
      .map(({ working }) => working);
  }

  add(finished: FinishedLease): void {
    const bytes = finished.parts.flat().reduce((sum, part) => sum + part.length, 0);
    const entry: Entry = {
      ...finished,
      bytes,
      sinceMs: this.#deps.clock.monotonic(),
      next: 0,
      pauseMs: OUTBOX_PAUSE_MS,
      isSending: false,
      cancelTimer: undefined,
    };
    this.#entries.set(finished.working.lease, entry);
    this.#bytes += bytes;
    for (const lease of this.#entries.keys()) {
      const isSmall = this.#bytes <= OUTBOX_BYTES_MAX && this.#entries.size <= OUTBOX_LEASES_MAX;
      if (isSmall || lease === finished.working.lease) break;
      this.#remove(lease, "too many wait");
    }
    void this.#send(finished.working.lease, entry);
  }

  /** The run has another owner. @returns false where the lease is not here */
  redirect(lease: string, owner: PeerId): boolean {
    const entry = this.#entries.get(lease);
    if (entry === undefined) return false;
    entry.owner = owner;
    entry.next = 0;
    entry.pauseMs = OUTBOX_PAUSE_MS;
    this.#sendSoon(lease, entry);
    return true;
  }

  /** It can be reached again. */
  wake(owner: PeerId): void {
    for (const [lease, entry] of this.#entries)
      if (entry.owner === owner) this.#sendSoon(lease, entry);
  }

  close(): void {
    this.#isClosed = true;
    for (const entry of this.#entries.values()) entry.cancelTimer?.();
    this.#entries.clear();
  }

  #sendSoon(lease: string, entry: Entry): void {
    if (entry.isSending) return;
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    void this.#send(lease, entry);
  }

  async #send(lease: string, entry: Entry): Promise<void> {
    const { roomFor } = this.#deps;
    entry.isSending = true;
    let verdict: "taken" | "unknown" = "taken";
    try {
      while (entry.next < entry.parts.length && verdict === "taken" && !this.#isClosed) {
        const { owner, run, isUnfit, parts, next } = entry;
        const message = {
          lease,
          run,
          outcomes: [...(parts[next] ?? [])],
          isLast: next === parts.length - 1,
          isUnfit,
          room: roomFor(owner),
        };
        const answer = await this.#handIn(owner, message);
        verdict = answer.verdict;
        // While it was on its way the run may have got another owner: that one gets all of it.
        if (entry.owner === owner && entry.next === next && verdict === "taken") entry.next++;
      }
    } catch (error) {
      verdict = "unknown";
      if (isMfError(error, "MESSAGE_MALFORMED") || isMfError(error, "PEER_MISBEHAVED"))
        this.#remove(lease, toErrorRecord(error).code);
    }
    entry.isSending = false;
    if (this.#isClosed || this.#entries.get(lease) !== entry) return;
    if (verdict === "taken") return this.#remove(lease);
    this.#retryLater(lease, entry);
  }

  async #handIn(owner: PeerId, message: HandedIn): Promise<{ verdict: "taken" | "unknown" }> {
    const { transport, handInHere } = this.#deps;
    if (owner === transport.self) return handInHere(message);
    return transport.request(owner, HAND_IN, message, { timeoutMs: GRANT_MS_MAX });
  }

  #retryLater(lease: string, entry: Entry): void {
    const { clock } = this.#deps;
    if (clock.monotonic() - entry.sinceMs > OUTBOX_MS_MAX)
      return this.#remove(lease, "nobody took it");
    const { pauseMs } = entry;
    entry.pauseMs = Math.min(OUTBOX_PAUSE_MS_MAX, pauseMs * 2);
    entry.cancelTimer = clock.after(pauseMs, () => void this.#send(lease, entry), { unref: true });
  }

  #remove(lease: string, why?: string): void {
    const entry = this.#entries.get(lease);
    if (entry === undefined) return;
    entry.cancelTimer?.();
    this.#entries.delete(lease);
    this.#bytes -= entry.bytes;
    if (why !== undefined) this.#deps.logger.warn("outcome-dropped", { lease, why });
    this.#deps.emptied();
  }
}
