/**
 * What a peer with the issuer's key does: gives out tickets, lets their holders in, renews certificates. Every daemon has one of
 * these; without the key each of its answers is ADMIN_NEEDED, or, to a stranger, that it knows no such ticket.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import type { JoinChannel } from "../../src/wire/admission.ts";
import {
  ADDRESSES_MAX,
  type JoinGrant,
  MEMBERS_TOLD_MAX,
  type Signed,
} from "../../src/wire/admission-protocol.ts";
import { type Certificate, issueCertificate } from "./certificate.ts";
import type { KeyPair } from "../../src/trust/ed25519.ts";
import { issueTicket } from "./issue-ticket.ts";
import { JoinDesk, type NewMember } from "./join-desk.ts";
import type { Member, MemberBook } from "./member-book.ts";
import type { MeshFiles, MeshSecrets } from "./mesh-files.ts";
import type { Tickets } from "./ticket-machine.ts";

export interface IssuerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly files: MeshFiles;
  readonly secrets: MeshSecrets;
  readonly self: PeerId;
  readonly name: string;
  readonly members: MemberBook;
  isRevoked(peer: PeerId): boolean;
  /** The first of the list; the rest comes when the joiner connects as a member. */
  revocations(): Signed[];
  /** Members to tell a joiner of, this one first. */
  reachable(): readonly Pick<Member, "peer" | "addresses">[];
}

export interface InviteOptions {
  /** @default submit, store, work */
  readonly roles?: readonly PeerRole[];
  /** @default TICKET_TTL_MS_DEFAULT */
  readonly ttlMs?: number;
}

export class Issuer {
  readonly #deps: IssuerDeps;
  readonly #desk: JoinDesk;
  #tickets: Tickets;

  constructor(deps: IssuerDeps) {
    const { clock, random, logger, self, name } = deps;
    this.#deps = deps;
    this.#tickets = deps.files.tickets();
    this.#desk = new JoinDesk({
      clock,
      random,
      logger,
      self,
      name,
      tickets: { get: () => this.#tickets, set: (tickets) => this.#setTickets(tickets) },
      isRevoked: (peer) => deps.isRevoked(peer),
      grant: (member) => this.#grant(member),
    });
  }

  /** @throws MfError ADMIN_NEEDED: `what` it may not do */
  key(what: string): KeyPair {
    const { secrets, members, isRevoked } = this.#deps;
    if (secrets.issuer !== undefined) return secrets.issuer;
    const admins = members.admins().filter(({ peer }) => !isRevoked(peer));
    const peers = admins.map(({ peer }) => members.nameOf(peer)).join(", ");
    throw new MfError("ADMIN_NEEDED", { what, peers: peers === "" ? "the first peer" : peers });
  }

  serve(channel: JoinChannel): Promise<void> {
    return this.#desk.serve(channel);
  }

  /** @throws MfError ADMIN_NEEDED, USAGE */
  invite(
    addresses: readonly string[],
    options: InviteOptions,
  ): { readonly ticket: string; readonly expiresAt: number } {
    this.key("invite");
    const { clock, random, secrets, self } = this.#deps;
    const issued = issueTicket(
      { mesh: secrets.mesh, issuer: self, addresses, ...options },
      { tickets: this.#tickets, now: clock.now(), random },
    );
    this.#setTickets(issued.tickets);
    return { ticket: issued.text, expiresAt: issued.expiresAt };
  }

  /** For a member that asks. @throws MfError ADMIN_NEEDED, PEER_REVOKED */
  renew(peer: PeerId): Signed {
    const issuer = this.key("renew certificates");
    const { members, isRevoked } = this.#deps;
    const known = members.get(peer)?.certificate;
    if (known === undefined || isRevoked(peer)) throw new MfError("PEER_REVOKED", { peer });
    return this.#certify(issuer, { peer, name: known.body.name, roles: known.roles }).signed;
  }

  /** The certificate that a peer has where it is good for long enough (its answer may have been lost), else a new one. */
  #certify(issuer: KeyPair, member: NewMember): Certificate {
    const { clock, random, members, secrets } = this.#deps;
    const known = members.get(member.peer)?.certificate;
    const { notBefore = 0, notAfter = 0 } = known?.body ?? {};
    const isFresh = clock.now() < (notBefore + notAfter) / 2;
    if (known !== undefined && isFresh && known.roles.join() === member.roles.join()) return known;
    const request = { mesh: secrets.mesh, ...member };
    const certificate = issueCertificate(issuer, request, { now: clock.now(), random });
    members.noteCertificate(certificate);
    return certificate;
  }

  #grant(member: NewMember): JoinGrant {
    const issuer = this.key("let a peer in");
    const { secrets, revocations, reachable } = this.#deps;
    const { mesh, secret, epoch, issuerKey } = secrets;
    return {
      mesh,
      secret,
      epoch,
      issuerKey,
      ...(member.roles.includes("admin") ? { issuerSeed: issuer.seed } : {}),
      certificate: this.#certify(issuer, member).signed,
      revocations: revocations(),
      members: reachable()
        .filter(({ peer, addresses }) => peer !== member.peer && addresses.length > 0)
        .slice(0, MEMBERS_TOLD_MAX)
        .map(({ peer, addresses }) => ({ peer, addresses: addresses.slice(0, ADDRESSES_MAX) })),
    };
  }

  #setTickets(tickets: Tickets): void {
    this.#deps.files.saveTickets(tickets);
    this.#tickets = tickets;
  }
}
