/** What the network needs to know of who may join. daemon/admission implements it, daemon/net asks. */
import type { PeerId } from "../model/peer.ts";

export interface AdmissionGate {
  /** Bound into every Noise handshake of members: who does not know the mesh secret cannot finish one. */
  readonly prologue: Uint8Array;
  /** What this peer shows when a connection opens (certificate and revocations), at most HELLO_BYTES_MAX. */
  credentials(): Uint8Array;
  /** Decides before anything else of that peer is answered; `reason` is told to it. Learns what the credentials carry. */
  admit(from: PeerId, credentials: Uint8Array): AdmissionVerdict;
  /** Serves one stranger who holds a ticket, over the join encrypter. Never throws. */
  serveJoin(channel: JoinChannel): Promise<void>;
}

export type AdmissionVerdict =
  | { readonly isAdmitted: true }
  | { readonly isAdmitted: false; readonly reason: string };

/** A conversation with somebody who is authenticated (his key is `remote`) but not yet admitted. */
export interface JoinChannel {
  readonly remote: PeerId;
  send(data: Uint8Array): Promise<void>;
  /** @throws MfError PEER_UNREACHABLE where the other side ended it, PEER_TIMEOUT */
  receive(): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a join channel to the issuer: implemented by daemon/net, used by `mfd start --join`. */
export type JoinDialler = (issuer: PeerId, addresses: readonly string[]) => Promise<JoinChannel>;

/** This peer's key pair. */
export interface PeerIdentity {
  readonly peerId: PeerId;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  sign(data: Uint8Array): Uint8Array;
}

/** One message of hello or join: a certificate is a few hundred bytes, a list of revocations a few thousand. */
export const HELLO_BYTES_MAX = 64 * 1024;
