/** Makes a ticket: checks what was asked for, and remembers only what checks its proof later. */
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import { ADDRESS_CHARS_MAX, ADDRESSES_MAX } from "../../src/wire/admission-protocol.ts";
import {
  TICKET_ADDRESSES_BYTES_MAX,
  TICKET_TTL_MS_DEFAULT,
  TICKET_TTL_MS_MAX,
  TICKET_TTL_MS_MIN,
} from "./admission-limits.ts";
import { spanText } from "./span-text.ts";
import { ticketId, ticketKey, ticketText } from "./ticket.ts";
import { stepTickets, type Tickets } from "./ticket-machine.ts";

/** What a peer may do that was invited without --roles: everything but invite and revoke. */
const ROLES_DEFAULT: readonly PeerRole[] = ["submit", "store", "work"];

export interface TicketRequest {
  readonly mesh: string;
  readonly issuer: PeerId;
  readonly addresses: readonly string[];
  readonly roles?: readonly PeerRole[];
  readonly ttlMs?: number;
}

/** @throws MfError USAGE */
export function issueTicket(
  request: TicketRequest,
  env: { readonly tickets: Tickets; readonly now: number; readonly random: Random },
): { readonly tickets: Tickets; readonly text: string; readonly expiresAt: number } {
  const { mesh, issuer, ttlMs = TICKET_TTL_MS_DEFAULT } = request;
  const roles = [...new Set(request.roles ?? ROLES_DEFAULT)];
  if (roles.length === 0) throw usage("A ticket needs at least one role.");
  if (!(ttlMs >= TICKET_TTL_MS_MIN && ttlMs <= TICKET_TTL_MS_MAX)) {
    throw usage(
      `A ticket lives from ${spanText(TICKET_TTL_MS_MIN)} to ${spanText(TICKET_TTL_MS_MAX)}.`,
    );
  }
  const secret = new Uint8Array(env.random.bytes(16));
  const expiresAt = env.now + Math.round(ttlMs);
  const addresses = ticketAddresses(request.addresses);
  const text = ticketText({ mesh, issuer, addresses, secret, expiresAt, roles });
  const { tickets } = stepTickets(
    env.tickets,
    {
      t: "issued",
      ticket: {
        id: Buffer.from(ticketId(secret)).toString("hex"),
        key: Buffer.from(ticketKey(secret)).toString("hex"),
        roles,
        expiresAt,
      },
    },
    env.now,
  );
  return { tickets, text, expiresAt };
}

/** Without the peer's id, which the ticket says once; addresses that other machines can reach come first. */
function ticketAddresses(given: readonly string[]): string[] {
  const plain = given
    .map((address) => address.replace(/\/p2p\/[^/]+$/, ""))
    .filter((address) => address.startsWith("/") && address.length <= ADDRESS_CHARS_MAX);
  const isLocal = (address: string): boolean => /^\/ip4\/127\.|^\/ip6\/::1\//.test(address);
  const sorted = [...new Set(plain)].sort((a, b) => Number(isLocal(a)) - Number(isLocal(b)));
  const chosen: string[] = [];
  let bytes = 0;
  for (const address of sorted.slice(0, ADDRESSES_MAX)) {
    bytes += address.length;
    if (bytes <= TICKET_ADDRESSES_BYTES_MAX) chosen.push(address);
  }
  if (chosen.length === 0) throw usage("This daemon listens nowhere, so nobody could join by it.");
  return chosen;
}

function usage(message: string): MfError {
  return new MfError("USAGE", { message, command: "invite" });
}
