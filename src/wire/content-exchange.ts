/** Content that other peers hold, for whoever needs it here. daemon/bulk implements it. */
import type { Cid } from "../model/ids.ts";
import type { PeerId } from "../model/peer.ts";

export interface BringOptions {
  /** Peers that probably hold it: asked first. */
  readonly hints?: readonly PeerId[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly bytes: number; readonly total: number }) => void;
}

export interface ContentExchange {
  /** Fetches what is not here; on return everything is here, verified and durable. Concurrent calls for one id share a transfer.
   *  @throws MfError CONTENT_MISSING (no reachable peer has it), STORE_FULL */
  bring(ids: readonly Cid[], options?: BringOptions): Promise<void>;
  /** Which reachable peers hold each id, this one included. */
  holders(ids: readonly Cid[]): Promise<ReadonlyMap<Cid, readonly PeerId[]>>;
  /** Copies to other peers in the background until `copies` peers hold each. */
  spread(ids: readonly Cid[], copies: number): void;
}
