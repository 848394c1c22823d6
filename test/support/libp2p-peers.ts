/** Peers over real libp2p on loopback, for tests: identities from a number, a gate that lets everybody in or whom the test says. */
import { createPrivateKey, createPublicKey, sign, type KeyObject } from "node:crypto";
import { createLibp2pTransport, type Libp2pTransport } from "../../daemon/net/libp2p-transport.ts";
import { systemClock } from "../../src/env/clock.ts";
import { silentLogger, type Logger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { AdmissionGate, PeerIdentity } from "../../src/wire/admission.ts";
import type { Transport } from "../../src/wire/transport.ts";

export function testIdentity(number: number): PeerIdentity {
  const seed = new Uint8Array(32).fill(number);
  const key = privateKey(seed);
  const point = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
  // A PeerId is the base58 of an identity multihash of the key's protobuf.
  const peerId = base58(Buffer.concat([Buffer.from("002408011220", "hex"), point])) as PeerId;
  return { peerId, seed, sign: (data) => new Uint8Array(sign(null, data, key)) };
}

/** Lets everybody in who knows the secret. */
export function openGate(secret = "the mesh of a test"): AdmissionGate {
  return {
    prologue: Buffer.from(secret),
    credentials: () => Buffer.from("credentials"),
    admit: () => ({ isAdmitted: true }),
    serveJoin: (channel) => channel.close(),
  };
}

export interface TestPeerOptions {
  readonly gate?: AdmissionGate;
  readonly logger?: Logger;
  readonly listen?: readonly string[];
  readonly mdns?: boolean;
}

/** Started, on a free port of loopback. */
export async function startPeer(
  number: number,
  options: TestPeerOptions = {},
): Promise<Libp2pTransport> {
  const transport = createLibp2pTransport({
    identity: testIdentity(number),
    gate: options.gate ?? openGate(),
    listen: options.listen ?? ["127.0.0.1:0"],
    mdns: options.mdns ?? false,
    clock: systemClock,
    random: systemRandom,
    logger: options.logger ?? silentLogger,
  });
  await transport.start();
  return transport;
}

export async function stopAll(transports: readonly Transport[]): Promise<void> {
  await Promise.all(transports.map((transport) => transport.stop()));
}

/** Node reads a PKCS 8 key: the fixed head of an Ed25519 one, and the seed. */
function privateKey(seed: Uint8Array): KeyObject {
  const head = Buffer.from("302e020100300506032b657004220420", "hex");
  return createPrivateKey({ key: Buffer.concat([head, seed]), format: "der", type: "pkcs8" });
}

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

function base58(data: Uint8Array): string {
  let rest = BigInt(`0x${Buffer.from(data).toString("hex")}`);
  let text = "";
  for (; rest > 0n; rest /= 58n) text = `${BASE58[Number(rest % 58n)] ?? ""}${text}`;
  const zeroes = data.findIndex((byte) => byte !== 0);
  return "1".repeat(Math.max(zeroes, 0)) + text;
}
