/** Ed25519 over raw 32-byte seeds and public keys, and a peer's id as libp2p writes it. */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import type { PeerId } from "../model/peer.ts";
import { assert } from "../std/assert.ts";
import { base58Decode, base58Encode } from "../std/base58.ts";

/** PKCS #8 and SPKI around the 32 bytes (RFC 8410); node:crypto takes no raw keys. */
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
/** Identity multihash (0x00) of 36 bytes: the protobuf PublicKey { Type: Ed25519, Data: 32 bytes }. */
const PEER_ID_PREFIX = Buffer.from("002408011220", "hex");
const PEER_ID_CHARS = 52;

export const SEED_BYTES = 32;

export interface KeyPair {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  sign(data: Uint8Array): Uint8Array;
}

export function keyPairOf(seed: Uint8Array): KeyPair {
  assert(seed.length === SEED_BYTES);
  const key = createPrivateKey({
    key: Buffer.concat([PRIVATE_PREFIX, seed]),
    format: "der",
    type: "pkcs8",
  });
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  const publicKey = new Uint8Array(spki.subarray(PUBLIC_PREFIX.length));
  return { seed, publicKey, sign: (data) => new Uint8Array(signBytes(null, data, key)) };
}

/** False for whatever is wrong: lengths, points off the curve, another signature. */
export function isSignedBy(
  publicKey: Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    const key: KeyObject = createPublicKey({
      key: Buffer.concat([PUBLIC_PREFIX, publicKey]),
      format: "der",
      type: "spki",
    });
    return verifyBytes(null, data, key, signature);
  } catch {
    return false;
  }
}

export function peerIdOf(publicKey: Uint8Array): PeerId {
  return base58Encode(Buffer.concat([PEER_ID_PREFIX, publicKey])) as PeerId;
}

/** Undefined where the text is no Ed25519 peer id. */
export function publicKeyOf(peerId: string): Uint8Array | undefined {
  if (peerId.length !== PEER_ID_CHARS) return undefined;
  const data = base58Decode(peerId);
  if (data?.length !== PEER_ID_PREFIX.length + 32) return undefined;
  if (!PEER_ID_PREFIX.equals(data.subarray(0, PEER_ID_PREFIX.length))) return undefined;
  return data.subarray(PEER_ID_PREFIX.length);
}
