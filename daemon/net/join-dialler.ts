/** The joiner's side of the join protocol: a libp2p of its own that listens nowhere and knows the join encrypter alone. */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { JoinChannel, JoinDialler, PeerIdentity } from "../../src/wire/admission.ts";
import { dialFailure } from "./dial-failure.ts";
import { joinChannel } from "./join-channel.ts";
import { createHost, JOIN_PROTOCOL, type Host } from "./libp2p-host.ts";
import { DIAL_MS, UPGRADE_MS } from "./net-limits.ts";
import { dialAddresses, ownHosts, worthDialling } from "./peer-address.ts";

export interface JoinDiallerDeps {
  readonly identity: PeerIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
}

export type ClosableJoinDialler = JoinDialler & { close(): Promise<void> };

export function createJoinDialler(deps: JoinDiallerDeps): ClosableJoinDialler {
  let host: Promise<Host> | undefined;
  const dial: JoinDialler = async (issuer, addresses) => {
    host ??= startHost(deps.identity);
    const { libp2p } = await host;
    return openChannel(libp2p, { issuer, addresses }, deps);
  };
  const close = async (): Promise<void> => {
    const started = host;
    host = undefined;
    if (started !== undefined) await (await started).libp2p.stop();
  };
  return Object.assign(dial, { close });
}

async function startHost(identity: PeerIdentity): Promise<Host> {
  const host = await createHost({ identity, listen: [] });
  await host.libp2p.start();
  return host;
}

async function openChannel(
  libp2p: Host["libp2p"],
  to: { readonly issuer: PeerId; readonly addresses: readonly string[] },
  deps: JoinDiallerDeps,
): Promise<JoinChannel> {
  const known = worthDialling(dialAddresses(to.issuer, to.addresses), ownHosts());
  if (known.length === 0) throw unreachable(to.issuer, "the ticket names no address to dial");
  try {
    const connection = await libp2p.dial(known, {
      force: true,
      signal: AbortSignal.timeout(DIAL_MS),
    });
    const signal = AbortSignal.timeout(UPGRADE_MS);
    const stream = await connection.newStream(JOIN_PROTOCOL, { signal });
    return joinChannel(stream, connection, deps.clock);
  } catch (error) {
    const why = dialFailure(error);
    deps.logger.info("join-not-dialled", { issuer: to.issuer, why, error: String(error) });
    throw unreachable(to.issuer, `${to.addresses.join(", ")}: ${WHY[why]}`);
  }
}

const WHY = {
  refused: "nobody listens there",
  unreachable: "there is no way to it",
  timeout: "no answer",
  denied: "it does not speak with us",
  other: "no conversation came about",
} as const;

function unreachable(peer: PeerId, reason: string): MfError {
  return new MfError("PEER_UNREACHABLE", { peer, reason });
}
