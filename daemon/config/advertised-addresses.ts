/**
 * Where others are told to dial. Listening everywhere means every interface that others may see; loopback is told only by a daemon
 * that has nothing else, because on another machine it means that machine.
 */
import { networkInterfaces, type NetworkInterfaceInfo } from "node:os";

export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** `listening`: multiaddr text as bound, with the port that was got (`/ip4/0.0.0.0/tcp/4001`). */
export function advertisedAddresses(
  listening: readonly string[],
  interfaces: Interfaces = networkInterfaces(),
): string[] {
  const every = Object.values(interfaces).flatMap((infos) => infos ?? []);
  const outer = every.filter((info) => !info.internal && !info.address.startsWith("fe80:"));
  const told = listening.flatMap((address) => {
    const match = /^\/(ip[46])\/([^/]+)(\/tcp\/\d+)/.exec(address);
    if (match === null) return [];
    const [, protocol = "", host = "", port = ""] = match;
    if (host !== "0.0.0.0" && host !== "::") return [`/${protocol}/${host}${port}`];
    const family = protocol === "ip4" ? "IPv4" : "IPv6";
    const seen = outer.filter((info) => info.family === family);
    if (seen.length > 0) return seen.map((info) => `/${protocol}/${info.address}${port}`);
    return protocol === "ip4" ? [`/ip4/127.0.0.1${port}`] : [`/ip6/::1${port}`];
  });
  return [...new Set(told)];
}
