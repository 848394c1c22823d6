/**
 * What peers say about who may join. Certificates and revocations travel as the exact bytes that were signed, beside the signature.
 * The join conversation is: hello, challenge, proof, grant; a refusal may stand in the place of each of the issuer's answers.
 */
import * as v from "valibot";
import { PEER_ROLES } from "../model/peer.ts";
import { HELLO_BYTES_MAX } from "./admission.ts";
import { message, type MessageCodec } from "./message.ts";
import type { NoticeType, RequestType } from "./transport.ts";

export const ADMISSION_VERSION = 1;
export const PEER_NAME_CHARS_MAX = 64;
export const ADDRESSES_MAX = 8;
export const ADDRESS_CHARS_MAX = 256;
/** A certificate's or a revocation's body: a few short fields. */
const SIGNED_BYTES_MAX = 1024;
/** Revocations in one message; a longer list travels in several notices. */
export const REVOCATIONS_PER_MESSAGE_MAX = 64;
/** Members whose addresses a joiner is told: enough to find one that answers. */
export const MEMBERS_TOLD_MAX = 16;

const someBytes = v.custom<Uint8Array>((value) => value instanceof Uint8Array);
const bytes = (length: number) => v.pipe(someBytes, v.length(length));
const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Printable, and nothing that a terminal could take for a command. */
const name = v.pipe(v.string(), v.maxLength(PEER_NAME_CHARS_MAX), v.regex(/^[\p{L}\p{N}._-]+$/u));
const peerIdText = v.pipe(v.string(), v.regex(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/));
const meshId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
const address = v.pipe(v.string(), v.maxLength(ADDRESS_CHARS_MAX), v.regex(/^\/[\x21-\x7e]+$/));
const addresses = v.pipe(v.array(address), v.maxLength(ADDRESSES_MAX));
const roles = v.pipe(v.array(v.picklist(PEER_ROLES)), v.minLength(1), v.maxLength(4));

const signedSchema = v.object({
  body: v.pipe(someBytes, v.maxLength(SIGNED_BYTES_MAX)),
  signature: bytes(64),
});
const revocationsSchema = v.pipe(v.array(signedSchema), v.maxLength(REVOCATIONS_PER_MESSAGE_MAX));

/** Bytes of a body and the issuer's Ed25519 signature over them. */
export type Signed = v.InferOutput<typeof signedSchema>;

const certificateSchema = v.object({
  mesh: meshId,
  peer: peerIdText,
  name,
  roles,
  notBefore: time,
  notAfter: time,
  serial: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
});
export type CertificateBody = v.InferOutput<typeof certificateSchema>;
export const certificateBody: MessageCodec<CertificateBody> = message(
  certificateSchema,
  SIGNED_BYTES_MAX,
);

const revocationSchema = v.object({ mesh: meshId, peer: peerIdText, at: time });
export type RevocationBody = v.InferOutput<typeof revocationSchema>;
export const revocationBody: MessageCodec<RevocationBody> = message(
  revocationSchema,
  SIGNED_BYTES_MAX,
);

/** How many revocations a peer knows, and the hash over all of them. */
const headSchema = v.object({ count: v.pipe(v.number(), v.safeInteger()), digest: bytes(32) });
export type RevocationHead = v.InferOutput<typeof headSchema>;

const helloSchema = v.object({
  v: v.pipe(v.number(), v.safeInteger()),
  now: time,
  certificate: signedSchema,
  head: headSchema,
  /** The first of them; where the list is longer than a message holds, the rest comes by notices. */
  revocations: revocationsSchema,
});
export type AdmissionHello = v.InferOutput<typeof helloSchema>;
export const admissionHello: MessageCodec<AdmissionHello> = message(helloSchema, HELLO_BYTES_MAX);

/** What a ticket says; its text form adds a length and a checksum (daemon/admission/ticket.ts). */
const ticketSchema = v.object({
  m: bytes(16),
  /** The issuer's public key as a peer. */
  i: bytes(32),
  a: v.pipe(addresses, v.minLength(1)),
  s: bytes(16),
  /** Expiry, seconds since 1970. */
  e: time,
  r: roles,
});
export const TICKET_BYTES_MAX = 1200;
export const ticketBody: MessageCodec<v.InferOutput<typeof ticketSchema>> = message(
  ticketSchema,
  TICKET_BYTES_MAX,
);

const joinHelloSchema = v.object({
  v: v.pipe(v.number(), v.safeInteger()),
  /** Which ticket: a hash of its secret, so that a watcher learns nothing and the issuer finds it. */
  ticket: bytes(16),
  nonce: bytes(32),
  name,
  now: time,
});
export const joinHello: MessageCodec<v.InferOutput<typeof joinHelloSchema>> = message(
  joinHelloSchema,
  HELLO_BYTES_MAX,
);

export const JOIN_REFUSALS = [
  "TICKET_EXPIRED",
  "TICKET_USED",
  "TICKET_REFUSED",
  "CLOCK_SKEWED",
  "PEER_REVOKED",
] as const;
const refusalSchema = v.object({
  t: v.literal("refusal"),
  code: v.picklist(JOIN_REFUSALS),
  /** For people; never trusted beyond that. */
  reason: v.pipe(v.string(), v.maxLength(200)),
  now: time,
});
export type JoinRefusal = v.InferOutput<typeof refusalSchema>;

const challengeSchema = v.object({ t: v.literal("challenge"), nonce: bytes(32), now: time, name });
export type JoinChallenge = v.InferOutput<typeof challengeSchema>;
export const joinChallenge: MessageCodec<JoinChallenge | JoinRefusal> = message(
  v.variant("t", [challengeSchema, refusalSchema]),
  HELLO_BYTES_MAX,
);

export const joinProof: MessageCodec<{ proof: Uint8Array }> = message(
  v.object({ proof: bytes(32) }),
  HELLO_BYTES_MAX,
);

const grantedSchema = v.object({
  t: v.literal("granted"),
  grant: v.pipe(someBytes, v.maxLength(HELLO_BYTES_MAX)),
  mac: bytes(32),
});
export const joinAnswer: MessageCodec<v.InferOutput<typeof grantedSchema> | JoinRefusal> = message(
  v.variant("t", [grantedSchema, refusalSchema]),
  HELLO_BYTES_MAX,
);

const grantSchema = v.object({
  mesh: meshId,
  secret: bytes(32),
  epoch: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  issuerKey: bytes(32),
  /** Only for a peer with the role admin: it may then invite, renew and revoke itself. */
  issuerSeed: v.optional(bytes(32)),
  certificate: signedSchema,
  revocations: revocationsSchema,
  members: v.pipe(
    v.array(v.object({ peer: peerIdText, addresses })),
    v.maxLength(MEMBERS_TOLD_MAX),
  ),
});
export type JoinGrant = v.InferOutput<typeof grantSchema>;
export const joinGrant: MessageCodec<JoinGrant> = message(grantSchema, HELLO_BYTES_MAX);

/** Asked of a peer with the role admin by a member whose certificate is past two thirds of its life. */
export const renewRequest: RequestType<{ serial: string }, Signed> = {
  name: "/mf/admission/1/renew",
  query: message(v.object({ serial: certificateSchema.entries.serial })),
  answer: message(signedSchema),
};

/** Revocations that the sender knows; what the receiver knows too is no news. */
export const revocationsNotice: NoticeType<{ revocations: Signed[] }> = {
  name: "/mf/admission/1/revocations",
  message: message(v.object({ revocations: revocationsSchema })),
};

/** The sender's renewed certificate, for peers that stay connected over a renewal. */
export const certificateNotice: NoticeType<{ certificate: Signed }> = {
  name: "/mf/admission/1/certificate",
  message: message(v.object({ certificate: signedSchema })),
};

/** What lies in home/mesh: the same forms, so that a file is checked as a message of a stranger is. */
export const storedMesh = v.object({
  v: v.literal(1),
  mesh: meshId,
  secret: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  epoch: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  issuerKey: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  issuerSeed: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
});
const storedSigned = v.object({
  body: v.pipe(v.string(), v.regex(/^([0-9a-f]{2})*$/), v.maxLength(2 * SIGNED_BYTES_MAX)),
  signature: v.pipe(v.string(), v.regex(/^[0-9a-f]{128}$/)),
});
export const storedCertificate = v.object({ v: v.literal(1), certificate: storedSigned });
export const storedTickets = v.object({
  v: v.literal(1),
  tickets: v.array(
    v.object({
      id: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
      key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
      roles,
      expiresAt: time,
      usedBy: v.optional(v.object({ peer: peerIdText, name, at: time })),
    }),
  ),
});
export const storedRevocations = v.object({ v: v.literal(1), revocations: v.array(storedSigned) });
export const storedMembers = v.object({
  v: v.literal(1),
  members: v.array(
    v.object({ certificate: v.optional(storedSigned), peer: peerIdText, addresses }),
  ),
});
