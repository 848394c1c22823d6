/** Addresses as people and peers write them, and as libp2p wants them: `/ip4/10.0.0.7/tcp/4077/p2p/<peer>`. */
import { isIPv4, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { ADDRESS_CHARS_MAX } from "../../src/wire/hello-message.ts";

/** `host:port`, `[::1]:port` or a multiaddr, to a multiaddr's text. @throws MfError LISTEN_FAILED */
export function listenAddress(text: string): string {
  if (text.startsWith("/")) {
    if (parse(text) === undefined) throw invalid(text, "it is no multiaddr");
    return text;
  }
  const match = /^(?:\[(?<six>[^\]]+)\]|(?<four>[^:]+)):(?<port>\d{1,5})$/u.exec(text);
  const { six, four, port } = match?.groups ?? {};
  if (port === undefined || Number(port) > 65_535) throw invalid(text, "it is not HOST:PORT");
  const host = six ?? four ?? "";
  if (isIPv6(host)) return `/ip6/${host}/tcp/${port}`;
  if (isIPv4(host)) return `/ip4/${host}/tcp/${port}`;
  if (host === "localhost") return `/ip4/127.0.0.1/tcp/${port}`;
  throw invalid(text, "the host must be an IP address of this machine");
}

/** What can be dialled to reach `peer`: others' words, so whatever is no TCP address is left out. */
export function dialAddresses(peer: PeerId, texts: readonly string[]): Multiaddr[] {
  const addresses: Multiaddr[] = [];
  for (const text of texts) {
    const address = text.length <= ADDRESS_CHARS_MAX ? parse(text) : undefined;
    if (address === undefined) continue;
    const [host, transport, last, ...more] = address.getComponents();
    const isHost = host !== undefined && ["ip4", "ip6", "dns4", "dns6", "dns"].includes(host.name);
    if (!isHost || transport?.name !== "tcp" || more.length > 0) continue;
    if (last === undefined) addresses.push(address.encapsulate(`/p2p/${peer}`));
    else if (last.name === "p2p" && last.value === peer) addresses.push(address);
  }
  return addresses;
}

/** The newest first, each once, at most `max`. */
export function mergeAddresses(
  first: readonly string[],
  rest: readonly string[],
  max: number,
): string[] {
  return [...new Set([...first, ...rest])].slice(0, max);
}

/** Where an inbound connection came from, with the port at which its peer says it listens. */
export function observedAddress(remote: string, announced: readonly string[]): string[] {
  const [host] = parse(remote)?.getComponents() ?? [];
  const [first] = announced;
  const port = first === undefined ? undefined : parse(first)?.getComponents()[1]?.value;
  const isIp = host?.name === "ip4" || host?.name === "ip6";
  if (!isIp || host.value === undefined || port === undefined) return [];
  return [`/${host.name}/${host.value}/tcp/${port}`];
}

/** IP addresses of this machine that others could know. */
export function ownHosts(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(all.filter((one) => !one.internal).map((one) => one.address));
}

/** A peer's loopback address leads to it on its own machine alone; anywhere else to whoever has that port there. */
export function worthDialling(addresses: Multiaddr[], own: ReadonlySet<string>): Multiaddr[] {
  const outer = addresses.filter((address) => !isLoopback(hostOf(address)));
  const loopback = addresses.filter((address) => isLoopback(hostOf(address)));
  const isHere = outer.length === 0 || outer.some((address) => own.has(hostOf(address)));
  return isHere ? [...loopback, ...outer] : outer;
}

function hostOf(address: Multiaddr): string {
  return address.getComponents()[0]?.value ?? "";
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

function parse(text: string): Multiaddr | undefined {
  try {
    return multiaddr(text);
  } catch {
    return undefined;
  }
}

function invalid(address: string, reason: string): MfError {
  return new MfError("LISTEN_FAILED", { address, reason });
}
