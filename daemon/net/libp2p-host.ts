/** libp2p, set up as the mesh needs it: which encrypters it answers, every limit named, nothing that learns peers by itself. */
import "../../src/std/promise-polyfill.ts";
import { createHash } from "node:crypto";
import { noise } from "@chainsafe/libp2p-noise";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { ConnectionEncrypter, Libp2p } from "@libp2p/interface";
import { mdns } from "@libp2p/mdns";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import type { PeerId } from "../../src/model/peer.ts";
import type { PeerIdentity } from "../../src/wire/admission.ts";
import { ADDRESSES_MAX } from "../../src/wire/hello-message.ts";
import {
  ADDRESSES_KEPT_MAX,
  ADDRESS_DIAL_MS,
  CLOSE_MS,
  CONNECTIONS_MAX,
  DIAL_MS,
  INBOUND_PENDING_MAX,
  INBOUND_PER_SECOND_MAX,
  MDNS_INTERVAL_MS,
  STREAMS_MAX,
  STREAM_WRITE_BYTES_MAX,
  UPGRADE_MS,
  WINDOW_BYTES,
  WINDOW_BYTES_MAX,
} from "./net-limits.ts";
import { guardNegotiation } from "./negotiation-guard.ts";

/** Members: whoever does not know the mesh's secret cannot finish the handshake. */
export const MEMBER_ENCRYPTION = "/noise";
/** Strangers with a ticket: encrypted and authenticated, and good for the join protocol alone. */
export const JOIN_ENCRYPTION = "/mf/join-noise";
export const CONTROL_PROTOCOL = "/mf/control/1";
export const JOIN_PROTOCOL = "/mf/join/1";

export interface HostOptions {
  readonly identity: PeerIdentity;
  /** Undefined: only for joining. */
  readonly prologue?: Uint8Array;
  readonly listen: readonly string[];
  /** Asks the local network who is there, and tells. Undefined: it does not ask. */
  readonly discovered?: (peer: PeerId, addresses: readonly string[]) => void;
}

export interface Host {
  readonly libp2p: Libp2p;
  /** As bound: port 0 and 0.0.0.0 are resolved; without /p2p/. */
  boundAddresses(): string[];
}

/** Not started yet. */
export async function createHost(options: HostOptions): Promise<Host> {
  const { identity, prologue, listen } = options;
  const privateKey = await generateKeyPairFromSeed("Ed25519", identity.seed);
  let bound = (): string[] => [];
  const libp2p = await createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [...listen] },
    transports: [tcp({ dialOpts: { noDelay: true }, listenOpts: { noDelay: true } })],
    connectionEncrypters:
      prologue === undefined
        ? [encrypter(JOIN_ENCRYPTION, new Uint8Array())]
        : [
            encrypter(MEMBER_ENCRYPTION, createHash("sha256").update(prologue).digest()),
            encrypter(JOIN_ENCRYPTION, new Uint8Array()),
          ],
    connectionGater: {
      // Asked before anything is read.
      denyInboundConnection: (connection) => {
        return !guardNegotiation(connection, [MEMBER_ENCRYPTION, JOIN_ENCRYPTION]);
      },
    },
    streamMuxers: [yamux(MUXER_OPTIONS)],
    connectionManager: CONNECTION_OPTIONS,
    // It pings over streams of its own, 8.5 % of a core at 120 connections; links look after themselves.
    connectionMonitor: { enabled: false },
    peerDiscovery:
      options.discovered !== undefined && prologue !== undefined
        ? [discovery(prologue, options.discovered)]
        : [],
    services: {
      // libp2p announces a public address only after somebody confirmed it; we announce what is bound.
      bound: (components) => {
        bound = () => components.transportManager.getAddrs().map((address) => address.toString());
        return {};
      },
    },
  });
  if (libp2p.peerId.toString() !== identity.peerId)
    throw new TypeError("the seed is not the peer's");
  return { libp2p, boundAddresses: () => bound() };
}

const MUXER_OPTIONS = {
  enableKeepAlive: true,
  keepAliveInterval: 30_000,
  maxInboundStreams: STREAMS_MAX,
  maxOutboundStreams: STREAMS_MAX,
  maxEarlyStreams: STREAMS_MAX,
  streamOptions: {
    initialStreamWindowSize: WINDOW_BYTES,
    maxStreamWindowSize: WINDOW_BYTES_MAX,
    maxWriteBufferLength: STREAM_WRITE_BYTES_MAX,
  },
};

const CONNECTION_OPTIONS = {
  maxConnections: CONNECTIONS_MAX,
  maxPeerAddrsToDial: ADDRESSES_KEPT_MAX,
  dialTimeout: DIAL_MS,
  addressDialTimeout: ADDRESS_DIAL_MS,
  connectionCloseTimeout: CLOSE_MS,
  inboundUpgradeTimeout: UPGRADE_MS,
  inboundStreamProtocolNegotiationTimeout: UPGRADE_MS,
  outboundStreamProtocolNegotiationTimeout: UPGRADE_MS,
  inboundConnectionThreshold: INBOUND_PER_SECOND_MAX,
  maxIncomingPendingConnections: INBOUND_PENDING_MAX,
  // Links redial by themselves (dial-machine.ts).
  reconnectRetries: 0,
};

function encrypter(
  protocol: string,
  prologueBytes: Uint8Array,
): (components: Parameters<ReturnType<typeof noise>>[0]) => ConnectionEncrypter {
  return (components) => Object.assign(noise({ prologueBytes })(components), { protocol });
}

/**
 * The name says nothing of the secret, and a peer of another mesh never answers to it. libp2p's own peer:discovery event is no
 * use: it comes for every peer that connects, too.
 */
function discovery(
  prologue: Uint8Array,
  discovered: (peer: PeerId, addresses: readonly string[]) => void,
): ReturnType<typeof mdns> {
  const mesh = createHash("sha256").update("mf-mdns\0").update(prologue).digest("hex").slice(0, 16);
  const create = mdns({ serviceTag: `_mf-${mesh}._udp.local`, interval: MDNS_INTERVAL_MS });
  return (components) => {
    const service = create(components);
    service.addEventListener("peer", ({ detail }) => {
      const addresses = detail.multiaddrs.slice(0, ADDRESSES_MAX).map((one) => one.toString());
      discovered(detail.id.toString() as PeerId, addresses);
    });
    return service;
  };
}
