/**
 * The joiner's side: shows the ticket to the peer that issued it and comes back with what a member needs. The ticket's secret never
 * leaves this machine; what comes back is believed only with a MAC that needs it.
 */
import { type Clock, delay } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { isMfError, MfError } from "../../src/model/errors.ts";
import type { JoinChannel, JoinDialler, PeerIdentity } from "../../src/wire/admission.ts";
import {
  ADMISSION_VERSION,
  joinAnswer,
  joinChallenge,
  joinGrant,
  type JoinGrant,
  joinHello,
  joinProof,
  type JoinRefusal,
} from "../../src/wire/admission-protocol.ts";
import { JOIN_PAUSE_MS, JOIN_TRIES_MAX, TICKET_KEPT_MS } from "./admission-limits.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { momentText, spanText } from "./span-text.ts";
import {
  grantMac,
  isEqual,
  joinerProof,
  type JoinTranscript,
  type Ticket,
  ticketId,
  ticketKey,
} from "./ticket.ts";

export interface JoinMeshDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly identity: PeerIdentity;
  readonly dial: JoinDialler;
}

export interface Joined {
  readonly grant: JoinGrant;
  readonly certificate: Certificate;
}

/** @throws MfError TICKET_EXPIRED, TICKET_USED, TICKET_REFUSED, CLOCK_SKEWED, PEER_REVOKED, PEER_UNREACHABLE, PEER_TIMEOUT, PEER_MISBEHAVED */
export async function joinMesh(deps: JoinMeshDeps, ticket: Ticket, name: string): Promise<Joined> {
  const { clock } = deps;
  // The issuer decides by its own clock; only what is long over is not worth a call.
  const lateMs = clock.now() - ticket.expiresAt;
  if (lateMs > TICKET_KEPT_MS) {
    throw new MfError("TICKET_EXPIRED", { when: `${spanText(lateMs)} ago` });
  }
  for (let tries = 1; ; tries++) {
    const channel = await deps.dial(ticket.issuer, ticket.addresses);
    try {
      return await converse(deps, { channel, ticket, name });
    } catch (error) {
      // A connection that broke: the ticket may be burnt, and then it is so for this identity, which may ask again.
      const isCut = isMfError(error, "PEER_UNREACHABLE") || isMfError(error, "PEER_TIMEOUT");
      if (!isCut || tries >= JOIN_TRIES_MAX) throw error;
      deps.logger.warn("join-cut", { tries, reason: error.message });
      await delay(clock, JOIN_PAUSE_MS);
    } finally {
      await channel.close().catch(() => undefined);
    }
  }
}

interface Conversation {
  readonly channel: JoinChannel;
  readonly ticket: Ticket;
  readonly name: string;
}

async function converse(deps: JoinMeshDeps, conversation: Conversation): Promise<Joined> {
  const { channel, ticket, name } = conversation;
  const { clock, random, identity } = deps;
  if (channel.remote !== ticket.issuer) throw misbehaved(ticket, "another peer answered");
  const joinerNonce = new Uint8Array(random.bytes(32));
  await channel.send(
    joinHello.encode({
      v: ADMISSION_VERSION,
      ticket: ticketId(ticket.secret),
      nonce: joinerNonce,
      name,
      now: clock.now(),
    }),
  );
  const challenge = await receive(joinChallenge, conversation);
  if (challenge.t === "refusal") throw refused(challenge, ticket, deps);
  const transcript: JoinTranscript = {
    joiner: identity.peerId,
    issuer: ticket.issuer,
    joinerNonce,
    issuerNonce: challenge.nonce,
  };
  const key = ticketKey(ticket.secret);
  await channel.send(joinProof.encode({ proof: joinerProof(key, transcript) }));
  const answer = await receive(joinAnswer, conversation);
  if (answer.t === "refusal") throw refused(answer, ticket, deps);
  if (!isEqual(answer.mac, grantMac(key, transcript, answer.grant))) {
    throw misbehaved(ticket, "its answer is not made with the ticket");
  }
  return believe(joinGrant.decode(answer.grant), ticket, identity);
}

function believe(grant: JoinGrant, ticket: Ticket, identity: PeerIdentity): Joined {
  if (grant.mesh !== ticket.mesh) throw misbehaved(ticket, "it let us into another mesh");
  const certificate = readCertificate(grant.certificate, grant.issuerKey, grant.mesh);
  if (certificate?.peer !== identity.peerId) {
    throw misbehaved(ticket, "the certificate is not for this peer");
  }
  return { grant, certificate };
}

async function receive<M>(
  codec: { decode(data: Uint8Array): M },
  conversation: Conversation,
): Promise<M> {
  const data = await conversation.channel.receive();
  try {
    return codec.decode(data);
  } catch (error) {
    throw misbehaved(conversation.ticket, error instanceof Error ? error.message : "malformed");
  }
}

function refused(refusal: JoinRefusal, ticket: Ticket, deps: JoinMeshDeps): MfError {
  const { code, now } = refusal;
  // It is shown on a terminal, and a stranger's machine wrote it.
  const reason = refusal.reason.replaceAll(/[^\p{L}\p{N}\p{P}\p{Zs}]/gu, "?");
  switch (code) {
    case "TICKET_EXPIRED":
      return new MfError(code, { when: reason });
    case "TICKET_USED":
      return new MfError(code, { by: reason });
    case "CLOCK_SKEWED": {
      const ours = deps.clock.now();
      return new MfError(code, {
        difference: spanText(now - ours),
        peer: ticket.issuer,
        theirs: momentText(now),
        ours: momentText(ours),
      });
    }
    case "PEER_REVOKED":
      return new MfError(code, { peer: deps.identity.peerId });
    case "TICKET_REFUSED":
      return new MfError("TICKET_REFUSED", { reason });
  }
}

function misbehaved(ticket: Ticket, reason: string): MfError {
  return new MfError("PEER_MISBEHAVED", { peer: ticket.issuer, what: "the ticket", reason });
}
