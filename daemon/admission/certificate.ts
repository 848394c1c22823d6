/**
 * The issuer's word that a peer is a member: signed over the exact bytes that travel. Checking says in words what is wrong, because
 * whoever is refused must be told something that helps.
 */
import type { Random } from "../../src/env/random.ts";
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import {
  certificateBody,
  revocationBody,
  type CertificateBody,
  type RevocationBody,
  type Signed,
} from "../../src/wire/admission-protocol.ts";
import type { MessageCodec } from "../../src/wire/message.ts";
import {
  CERTIFICATE_BACKDATE_MS,
  CERTIFICATE_LIFE_MS_MAX,
  CLOCK_SKEW_MS_MAX,
  RENEW_AT_SHARE,
} from "./admission-limits.ts";
import { isSignedBy, type KeyPair } from "../../src/trust/ed25519.ts";
import { spanText } from "./span-text.ts";

/** So that a signature for one purpose is none for another. */
const CERTIFICATE_DOMAIN = Buffer.from("mf-certificate-1\0");
const REVOCATION_DOMAIN = Buffer.from("mf-revocation-1\0");

export interface Certificate {
  readonly signed: Signed;
  readonly body: CertificateBody;
  readonly peer: PeerId;
  readonly roles: readonly PeerRole[];
}

export interface Revocation {
  readonly signed: Signed;
  readonly body: RevocationBody;
  readonly peer: PeerId;
}

export interface CertificateRequest {
  readonly mesh: string;
  readonly peer: PeerId;
  readonly name: string;
  readonly roles: readonly PeerRole[];
}

export function issueCertificate(
  issuer: KeyPair,
  request: CertificateRequest,
  env: { readonly now: number; readonly random: Random },
): Certificate {
  const { mesh, peer, name } = request;
  const notBefore = env.now - CERTIFICATE_BACKDATE_MS;
  const body: CertificateBody = {
    mesh,
    peer,
    name,
    roles: [...request.roles],
    notBefore,
    notAfter: notBefore + CERTIFICATE_LIFE_MS_MAX,
    serial: Buffer.from(env.random.bytes(8)).toString("hex"),
  };
  const signed = sign(issuer, CERTIFICATE_DOMAIN, certificateBody.encode(body));
  return { signed, body, peer, roles: request.roles };
}

export function issueRevocation(issuer: KeyPair, body: RevocationBody): Revocation {
  const signed = sign(issuer, REVOCATION_DOMAIN, revocationBody.encode(body));
  return { signed, body, peer: body.peer as PeerId };
}

/** Undefined where the issuer did not sign it for this mesh. Says nothing of its time. */
export function readCertificate(
  signed: Signed,
  issuerKey: Uint8Array,
  mesh: string,
): Certificate | undefined {
  const body = open(signed, { issuerKey, domain: CERTIFICATE_DOMAIN, codec: certificateBody });
  if (body?.mesh !== mesh) return undefined;
  if (body.notAfter - body.notBefore > CERTIFICATE_LIFE_MS_MAX) return undefined;
  return { signed, body, peer: body.peer as PeerId, roles: body.roles };
}

export function readRevocation(
  signed: Signed,
  issuerKey: Uint8Array,
  mesh: string,
): Revocation | undefined {
  const body = open(signed, { issuerKey, domain: REVOCATION_DOMAIN, codec: revocationBody });
  return body?.mesh === mesh ? { signed, body, peer: body.peer as PeerId } : undefined;
}

/** Why it is not valid now; undefined where it is. */
export function certificateFault(certificate: Certificate, now: number): string | undefined {
  const { notBefore, notAfter } = certificate.body;
  if (now < notBefore - CLOCK_SKEW_MS_MAX) {
    return `its certificate is valid only in ${spanText(notBefore - now)}`;
  }
  if (now > notAfter + CLOCK_SKEW_MS_MAX) {
    return `its certificate expired ${spanText(now - notAfter)} ago`;
  }
  return undefined;
}

export function isRenewalDue(certificate: Certificate, now: number): boolean {
  const { notBefore, notAfter } = certificate.body;
  return now >= notBefore + (notAfter - notBefore) * RENEW_AT_SHARE;
}

function sign(issuer: KeyPair, domain: Uint8Array, body: Uint8Array): Signed {
  // A copy: the encoder may give a view of a larger buffer.
  const exact = new Uint8Array(body);
  return { body: exact, signature: issuer.sign(Buffer.concat([domain, exact])) };
}

interface OpenOptions<M> {
  readonly issuerKey: Uint8Array;
  readonly domain: Uint8Array;
  readonly codec: MessageCodec<M>;
}

function open<M>(signed: Signed, options: OpenOptions<M>): M | undefined {
  const said = Buffer.concat([options.domain, signed.body]);
  if (!isSignedBy(options.issuerKey, said, signed.signature)) return undefined;
  try {
    return options.codec.decode(signed.body);
  } catch {
    // Signed by our issuer, yet of a form that this version does not know.
    return undefined;
  }
}
