/**
 * Messages between peers, as every folder of the daemon sees them. daemon/net implements it with libp2p, testing with memory; both
 * pass src/testing/conformance/transport.ts. A peer that is heard through it is authenticated and admitted.
 */
import type { PeerId } from "../model/peer.ts";
import type { MessageCodec } from "./message.ts";

/** A question with one answer. `name` is `/mf/<protocol>/<major>/<question>`. */
export interface RequestType<Q, A> {
  readonly name: string;
  readonly query: MessageCodec<Q>;
  readonly answer: MessageCodec<A>;
}

/** A message without an answer. */
export interface NoticeType<M> {
  readonly name: string;
  readonly message: MessageCodec<M>;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export type DialFailure = "refused" | "unreachable" | "timeout" | "denied" | "other";

export type TransportEvent =
  | { readonly t: "connected"; readonly peer: PeerId; readonly addresses: readonly string[] }
  /** The last connection to the peer ended: `reset` is a broken one (its process may be gone), `closed` an orderly one. */
  | { readonly t: "disconnected"; readonly peer: PeerId; readonly why: "closed" | "reset" }
  /** `refused`: the machine answered that nobody listens, so the daemon's process is gone. */
  | { readonly t: "dial-failed"; readonly peer: PeerId; readonly why: DialFailure }
  /** A hint (mDNS): somebody of our mesh may be there. */
  | { readonly t: "discovered"; readonly peer: PeerId; readonly addresses: readonly string[] };

export interface Transport {
  readonly self: PeerId;
  /** Addresses others can dial (multiaddr text, with /p2p/). */
  addresses(): readonly string[];
  start(): Promise<void>;
  stop(): Promise<void>;

  /** One handler a name. What it throws travels as an error record and rejects the request over there. */
  handle<Q, A>(type: RequestType<Q, A>, handler: (from: PeerId, query: Q) => Promise<A>): void;
  /**
   * Fails at once where there is no connection. An undefined field of a query is an absent one.
   * @throws MfError PEER_UNREACHABLE, PEER_TIMEOUT, PEER_MISBEHAVED, MESSAGE_MALFORMED (longer than its codec allows), what the
   * handler over there threw (anything but an MfError as INTERNAL, NOT_AVAILABLE where there is none), and the signal's reason
   */
  request<Q, A>(to: PeerId, type: RequestType<Q, A>, query: Q, options: RequestOptions): Promise<A>;
  listen<M>(type: NoticeType<M>, handler: (from: PeerId, message: M) => void): void;
  /** Best effort, in order to one peer; silently dropped where there is no connection. */
  send<M>(to: PeerId, type: NoticeType<M>, message: M): void;

  /** Stay connected: dials now and, with growing pauses, for ever. More addresses for a known peer are added. */
  keep(peer: PeerId, addresses: readonly string[]): void;
  /** Closes the connection and dials no more. */
  forget(peer: PeerId): void;
  isConnected(peer: PeerId): boolean;
  connected(): readonly PeerId[];
  subscribe(listener: (event: TransportEvent) => void): () => void;
}
