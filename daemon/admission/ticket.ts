/**
 * A ticket as text: `mft1`, two digits for the length of the rest, the rest in base58 with a checksum of four bytes. Whoever pastes
 * half of it or mistypes a letter is told before anything is dialled. It carries a one-use secret, never the mesh's.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import { base58Decode, base58Encode } from "../../src/std/base58.ts";
import { ticketBody } from "../../src/wire/admission-protocol.ts";
import { TICKET_CHARS_MAX } from "./admission-limits.ts";
import { peerIdOf, publicKeyOf } from "../../src/trust/ed25519.ts";
import { assert } from "../../src/std/assert.ts";

const PREFIX = "mft1";
const CHECKSUM_BYTES = 4;
const LENGTH_CHARS = 2;
const DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

export interface Ticket {
  /** Mesh id, hex. */
  readonly mesh: string;
  readonly issuer: PeerId;
  readonly addresses: readonly string[];
  readonly secret: Uint8Array;
  readonly expiresAt: number;
  readonly roles: readonly PeerRole[];
}

export function ticketText(ticket: Ticket): string {
  const issuer = publicKeyOf(ticket.issuer);
  assert(issuer !== undefined, "the issuer has an Ed25519 peer id");
  const body = ticketBody.encode({
    m: Buffer.from(ticket.mesh, "hex"),
    i: issuer,
    a: [...ticket.addresses],
    s: ticket.secret,
    e: Math.ceil(ticket.expiresAt / 1000),
    r: [...ticket.roles],
  });
  const rest = base58Encode(Buffer.concat([body, checksum(body)]));
  assert(rest.length < DIGITS.length ** LENGTH_CHARS);
  const high = DIGITS.charAt(Math.floor(rest.length / DIGITS.length));
  return `${PREFIX}${high}${DIGITS.charAt(rest.length % DIGITS.length)}${rest}`;
}

/** @throws MfError TICKET_INVALID, which says what is wrong with it */
export function parseTicket(given: string): Ticket {
  // A terminal or a mail may have broken the line.
  const text = given.slice(0, 2 * TICKET_CHARS_MAX).replaceAll(/\s+/g, "");
  if (text.length > TICKET_CHARS_MAX) throw invalid(`it is too long (${text.length} characters)`);
  if (!text.startsWith(PREFIX)) throw invalid(`it does not begin with ${PREFIX}`);
  const head = PREFIX.length + LENGTH_CHARS;
  const [high, low] = [DIGITS.indexOf(text.charAt(4)), DIGITS.indexOf(text.charAt(5))];
  if (text.length < head) throw invalid("it is cut off after a few characters");
  if (high < 0 || low < 0) throw invalid("its character 5 or 6 is mistyped");
  const length = high * DIGITS.length + low;
  if (length > TICKET_CHARS_MAX) throw invalid("its character 5 or 6 is mistyped");
  const rest = text.slice(head);
  if (rest.length < length)
    throw invalid(`it is cut off: ${text.length} of ${head + length} characters`);
  if (rest.length > length)
    throw invalid(`something follows it: ${text.length} instead of ${head + length} characters`);
  const data = base58Decode(rest);
  if (data === undefined) {
    const wrong = rest.search(/[^1-9A-HJ-NP-Za-km-z]/);
    throw invalid(`character ${head + wrong + 1} cannot stand in a ticket`);
  }
  const body = data.subarray(0, -CHECKSUM_BYTES);
  if (!isEqual(checksum(body), data.subarray(-CHECKSUM_BYTES))) {
    throw invalid("its checksum is wrong, so a character is mistyped");
  }
  return decodeBody(body);
}

function decodeBody(body: Uint8Array): Ticket {
  try {
    const { m, i, a, s, e, r } = ticketBody.decode(body);
    return {
      mesh: Buffer.from(m).toString("hex"),
      issuer: peerIdOf(i),
      addresses: a,
      secret: s,
      expiresAt: e * 1000,
      roles: r,
    };
  } catch {
    throw invalid("it is of another version of Meshflow");
  }
}

/** What the issuer keeps instead of the secret: enough to check a proof. */
export function ticketKey(secret: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update("mf-ticket-key-1\0").update(secret).digest());
}

/** How a joiner names its ticket before it is trusted with anything. */
export function ticketId(secret: Uint8Array): Uint8Array {
  const digest = createHash("sha256").update("mf-ticket-id-1\0").update(secret).digest();
  return new Uint8Array(digest.subarray(0, 16));
}

/** Who talks to whom, with the chance of both: what a proof is bound to. */
export interface JoinTranscript {
  readonly joiner: PeerId;
  readonly issuer: PeerId;
  readonly joinerNonce: Uint8Array;
  readonly issuerNonce: Uint8Array;
}

export function joinerProof(key: Uint8Array, transcript: JoinTranscript): Uint8Array {
  return mac(key, "join", transcript, new Uint8Array());
}

/** The issuer's: without the ticket nobody can hand a joiner a mesh secret of his own choice. */
export function grantMac(
  key: Uint8Array,
  transcript: JoinTranscript,
  grant: Uint8Array,
): Uint8Array {
  return mac(key, "grant", transcript, grant);
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function mac(
  key: Uint8Array,
  purpose: string,
  transcript: JoinTranscript,
  data: Uint8Array,
): Uint8Array {
  const { joiner, issuer, joinerNonce, issuerNonce } = transcript;
  // Every part but the last has a fixed length or ends in a zero byte: no two conversations give the same bytes.
  const hmac = createHmac("sha256", key).update(`mf-${purpose}-1\0${joiner}\0${issuer}\0`);
  return new Uint8Array(hmac.update(joinerNonce).update(issuerNonce).update(data).digest());
}

function checksum(body: Uint8Array): Uint8Array {
  return createHash("sha256").update(PREFIX).update(body).digest().subarray(0, CHECKSUM_BYTES);
}

function invalid(reason: string): MfError {
  return new MfError("TICKET_INVALID", { reason });
}
