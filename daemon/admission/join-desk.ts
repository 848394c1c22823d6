/**
 * Serves strangers who hold a ticket: hello, challenge, proof, grant. The ticket is burnt durably before the grant leaves; if the
 * grant is lost on the way, the same identity may ask again. Whatever a stranger sends, this only ends his conversation.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import type { JoinChannel } from "../../src/wire/admission.ts";
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
import { CLOCK_SKEW_MS_MAX, JOIN_CONVERSATION_MS_MAX, JOINS_OPEN_MAX } from "./admission-limits.ts";
import { type JoinRate, stepJoinRate } from "./join-rate-machine.ts";
import { momentText, spanText } from "./span-text.ts";
import { grantMac, isEqual, joinerProof, type JoinTranscript } from "./ticket.ts";
import { stepTickets, type Tickets } from "./ticket-machine.ts";

export interface JoinDeskDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly self: PeerId;
  readonly name: string;
  /** Set durably. */
  readonly tickets: { get(): Tickets; set(tickets: Tickets): void };
  isRevoked(peer: PeerId): boolean;
  grant(member: NewMember): JoinGrant;
}

export interface NewMember {
  readonly peer: PeerId;
  readonly name: string;
  readonly roles: readonly PeerRole[];
}

type Hello = ReturnType<typeof joinHello.decode>;

export class JoinDesk {
  readonly #deps: JoinDeskDeps;
  #rate: JoinRate = [];
  #open = 0;

  constructor(deps: JoinDeskDeps) {
    this.#deps = deps;
  }

  /** Never throws. */
  async serve(channel: JoinChannel): Promise<void> {
    const { clock, logger } = this.#deps;
    const peer = channel.remote;
    const close = (): void => void channel.close().catch(() => undefined);
    if (this.#open >= JOINS_OPEN_MAX) {
      logger.warn("join-turned-away", { peer, open: this.#open });
      return close();
    }
    this.#open += 1;
    const cancel = clock.after(JOIN_CONVERSATION_MS_MAX, close, { unref: true });
    try {
      await this.#converse(channel);
    } catch (error) {
      logger.info("join-broken-off", { peer, reason: textOf(error) });
    } finally {
      cancel();
      this.#open -= 1;
      close();
    }
  }

  async #converse(channel: JoinChannel): Promise<void> {
    const { random, self, name, clock } = this.#deps;
    const hello = joinHello.decode(await channel.receive());
    const ticket = this.#deps.tickets.get().get(Buffer.from(hello.ticket).toString("hex"));
    const refusal = this.#objection(channel.remote, hello, ticket !== undefined);
    if (refusal !== undefined) return this.#refuse(channel, refusal);
    if (ticket === undefined) {
      return this.#refuse(channel, { code: "TICKET_REFUSED", reason: "it knows no such ticket" });
    }
    const issuerNonce = new Uint8Array(random.bytes(32));
    const now = clock.now();
    await channel.send(joinChallenge.encode({ t: "challenge", nonce: issuerNonce, now, name }));
    const transcript: JoinTranscript = {
      joiner: channel.remote,
      issuer: self,
      joinerNonce: hello.nonce,
      issuerNonce,
    };
    const { proof } = joinProof.decode(await channel.receive());
    const key = new Uint8Array(Buffer.from(ticket.key, "hex"));
    if (!isEqual(proof, joinerProof(key, transcript))) {
      return this.#refuse(channel, {
        code: "TICKET_REFUSED",
        reason: "the ticket's secret is wrong",
      });
    }
    await this.#redeem(channel, { id: ticket.id, key, transcript, name: hello.name });
  }

  async #redeem(
    channel: JoinChannel,
    proven: {
      readonly id: string;
      readonly key: Uint8Array;
      readonly transcript: JoinTranscript;
      readonly name: string;
    },
  ): Promise<void> {
    const { tickets, clock, logger } = this.#deps;
    const { id, key, transcript, name } = proven;
    const peer = channel.remote;
    // Between this line and `set` nothing waits, so two who prove the same ticket at once cannot both find it open.
    const step = stepTickets(tickets.get(), { t: "proven", id, peer, name }, clock.now());
    const { verdict } = step;
    switch (verdict.t) {
      case "expired": {
        const reason = `${spanText(clock.now() - verdict.at)} ago`;
        return this.#refuse(channel, { code: "TICKET_EXPIRED", reason });
      }
      case "used":
        return this.#refuse(channel, { code: "TICKET_USED", reason: verdict.by });
      case "unknown":
        return this.#refuse(channel, { code: "TICKET_REFUSED", reason: "it was withdrawn" });
      case "admit": {
        if (verdict.isNews) tickets.set(step.tickets);
        const grant = joinGrant.encode(this.#deps.grant({ peer, name, roles: verdict.roles }));
        const mac = grantMac(key, transcript, grant);
        await channel.send(joinAnswer.encode({ t: "granted", grant: new Uint8Array(grant), mac }));
        logger.info("member-joined", {
          peer,
          name,
          roles: verdict.roles,
          isAgain: !verdict.isNews,
        });
      }
    }
  }

  /** What speaks against even looking at the ticket. */
  #objection(
    peer: PeerId,
    hello: Hello,
    isKnownTicket: boolean,
  ): Pick<JoinRefusal, "code" | "reason"> | undefined {
    const { clock, isRevoked } = this.#deps;
    const step = stepJoinRate(this.#rate, { peer, at: clock.monotonic(), isKnownTicket });
    this.#rate = step.rate;
    if (!step.isAllowed) {
      return { code: "TICKET_REFUSED", reason: "too many tries; wait a minute and try again" };
    }
    if (hello.v !== ADMISSION_VERSION) {
      const reason = `it speaks version ${ADMISSION_VERSION} of joining, you ${hello.v}`;
      return { code: "TICKET_REFUSED", reason };
    }
    if (!isKnownTicket) return undefined;
    if (isRevoked(peer)) return { code: "PEER_REVOKED", reason: "" };
    const skewMs = hello.now - clock.now();
    if (Math.abs(skewMs) <= CLOCK_SKEW_MS_MAX) return undefined;
    return { code: "CLOCK_SKEWED", reason: spanText(skewMs) };
  }

  async #refuse(
    channel: JoinChannel,
    refusal: Pick<JoinRefusal, "code" | "reason">,
  ): Promise<void> {
    const { clock, logger } = this.#deps;
    logger.info("join-refused", { peer: channel.remote, at: momentText(clock.now()), ...refusal });
    const { code, reason } = refusal;
    await channel.send(
      joinAnswer.encode({
        t: "refusal",
        code,
        reason: reason.slice(0, 200),
        now: clock.now(),
      }),
    );
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
