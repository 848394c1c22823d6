/** The part of the error table that only a mesh can report: peers, admission, the daemon's own home. */
import { row, type ErrorRow } from "./error-row.ts";

export const MESH_ERROR_ROWS = {
  // mesh
  PEER_NOT_FOUND: row(3, "There is no peer {peer}.", "`mf peers` lists peers."),
  DAEMON_MISSING: row(4, "No daemon runs in {home}.", "Start one: mfd start."),
  PEER_UNREACHABLE: row(
    4,
    "Peer {peer} cannot be reached: {reason}.",
    "`mf peers` shows who is there; check that its daemon runs and that its port is open.",
  ),
  PEER_TIMEOUT: row(
    124,
    "Peer {peer} did not answer {what} within {ms} ms.",
    "Ask again; `mf peers` shows how loaded it is.",
  ),
  PEER_MISBEHAVED: row(
    6,
    "Peer {peer} answered {what} with something that is no answer: {reason}.",
    "Run the same version of Meshflow on both; `mf peers --wide` shows versions.",
  ),
  LISTEN_FAILED: row(
    6,
    "Cannot listen on {address}: {reason}.",
    "Pass --listen HOST:PORT with an address of this machine and a port that is free.",
  ),
  PEER_LOST: row(
    4,
    "Peer {peer} was lost while it ran the attempt: {reason}.",
    "It runs again elsewhere; `mf peers` shows who is there.",
  ),
  FACT_REFUSED: row(
    7,
    "Peer {peer} does not vouch for the result it handed in: {reason}.",
    "It runs again; if {peer} does so again, look at it, or take its membership back: `mfd revoke {peer}`.",
  ),
  PEER_FENCED: row(
    6,
    "Run {run} has a newer owner (ballot {ballot}).",
    "Ask the new owner: `mf status {run}`.",
  ),
  MESSAGE_MALFORMED: row(
    6,
    "A message from a peer is malformed: {reason}.",
    "Run the same version of Meshflow on both; `mf peers --wide` shows versions.",
  ),
  // who may join
  TICKET_INVALID: row(
    5,
    "This is no valid ticket: {reason}.",
    "Copy the whole line that `mfd invite` prints; a ticket begins with mft1.",
  ),
  TICKET_EXPIRED: row(
    5,
    "The ticket expired {when}.",
    "Ask for a new one: `mfd invite` (with --ttl for a longer life) on a peer of the mesh.",
  ),
  TICKET_USED: row(
    5,
    "The ticket was used already, by {by}.",
    "A ticket lets one machine in. Ask for a new one: `mfd invite` on a peer of the mesh.",
  ),
  TICKET_REFUSED: row(
    5,
    "The peer that issued the ticket refuses it: {reason}.",
    "Ask for a new one: `mfd invite` on a peer of the mesh.",
  ),
  CLOCK_SKEWED: row(
    5,
    "The clocks differ by {difference}: {peer} says {theirs}, this machine says {ours}.",
    "Set the clock of whichever is wrong (timedatectl set-ntp true), then try again.",
  ),
  MESH_OTHER: row(
    6,
    "This home ({home}) belongs to another mesh ({mesh}) than the ticket ({other}).",
    "Use another home for it: MF_HOME=DIR mfd start --join TICKET.",
  ),
  PEER_REVOKED: row(
    5,
    "Peer {peer} was revoked from this mesh.",
    "A revoked identity stays out; join again from a new home: MF_HOME=DIR mfd start --join TICKET.",
  ),
  CERTIFICATE_EXPIRED: row(
    5,
    "This daemon's certificate expired {when}; no peer lets it in any more.",
    "Join again from the same home with a new ticket: mfd start --join TICKET.",
  ),
  ADMIN_NEEDED: row(
    5,
    "This daemon may not {what}: it has no issuer key (role admin).",
    "Do it on one that has: {peers}.",
  ),
  // the daemon's own home
  FILE_EXPOSED: row(
    5,
    "{file} can be read or written by others (mode {mode}).",
    "It is private: chmod 600 {file}. If others may have read it, revoke this peer and join anew.",
  ),
  FILE_DAMAGED: row(
    7,
    "{file} is damaged: {reason}.",
    "Restore it from a backup, or move it aside together with its folder and join again with a new ticket.",
  ),
  DAEMON_RUNNING: row(
    6,
    "A daemon already runs here ({home}): process {pid}.",
    "`mfd status` shows it, `mfd stop` ends it; for another one beside it: MF_HOME=DIR mfd start.",
  ),
  DAEMON_FAILED: row(
    1,
    "The daemon ended while it started ({how}).",
    "`mfd logs` shows why; `mfd start --foreground` shows it here.",
  ),
  RUN_MOVED: row(
    6,
    "Run {run} is now owned by {owner}.",
    "Watch it from there or from any other peer: mf watch {run}.",
  ),
} as const satisfies Record<string, ErrorRow>;
