/** Everything a daemon can be told, in the numbers it works with, and how that is read from what a person typed. */
import { MfError } from "../../src/model/errors.ts";
import { PEER_ROLES, type PeerRole } from "../../src/model/peer.ts";
import { parseCores, parseSize } from "./amount.ts";
import {
  CPUS_MIN,
  LABEL_CHARS_MAX,
  LABELS_MAX,
  LISTEN_MAX,
  MEM_BYTES_MIN,
  NAME_CHARS_MAX,
  STORE_BYTES_MIN,
} from "./config-limits.ts";
import type { HostFacts } from "./host-facts.ts";
import type { Remembered } from "./remembered.ts";

export interface DaemonOptions {
  /** Absolute. */
  readonly home: string;
  /** How people know this peer. @default what was remembered, else the host's name */
  readonly name: string;
  /** `host:port`; port 0 is any, and the one it had before after a restart. @default where it listened before, else everywhere */
  readonly listen: readonly string[];
  /** To use where `listen` fails because a remembered port is taken; undefined where the person named the port. */
  readonly listenFallback?: readonly string[];
  /** Cores that attempts may use. @default all */
  readonly cpus?: number;
  /** Memory that attempts may use. @default what is free */
  readonly memBytes?: number;
  /** For `--on`. A plain label has the value "". */
  readonly labels: Readonly<Record<string, string>>;
  /** Largest store, bytes. @default until the disk is tight */
  readonly storeBytesMax?: number;
  /** A ticket's text: join that mesh. */
  readonly join?: string;
  /** What this daemon is willing to do, of what its certificate allows. @default everything */
  readonly roles: readonly PeerRole[];
}

/** As typed. */
export interface DaemonInput {
  readonly name?: string;
  readonly listen?: readonly string[];
  readonly cpus?: string;
  readonly mem?: string;
  readonly label?: readonly string[];
  readonly storeMax?: string;
  readonly join?: string;
  readonly roles?: string;
}

export interface OptionSources {
  /** Absolute. */
  readonly home: string;
  readonly facts: HostFacts;
  readonly remembered: Remembered;
}

/** @throws MfError USAGE */
export function resolveDaemonOptions(input: DaemonInput, sources: OptionSources): DaemonOptions {
  const { home, facts, remembered } = sources;
  const { cpus, mem, storeMax, join, roles } = input;
  return {
    home,
    name: input.name === undefined ? defaultName(sources) : checkedName(input.name),
    ...listenOptions(input.listen ?? [], remembered),
    labels: parseLabels(input.label ?? []),
    roles: roles === undefined ? PEER_ROLES : parseRoles(roles, "start"),
    ...(cpus === undefined ? {} : { cpus: checkedCores(cpus, facts) }),
    ...(mem === undefined ? {} : { memBytes: checkedMem(mem, facts) }),
    ...(storeMax === undefined ? {} : { storeBytesMax: checkedStore(storeMax, facts) }),
    ...(join === undefined ? {} : { join }),
  };
}

const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u;

function checkedName(name: string): string {
  if (name.length > NAME_CHARS_MAX) throw usage(`--name: at most ${NAME_CHARS_MAX} characters.`);
  if (NAME.test(name)) return name;
  throw usage(`--name: ${show(name)} is no name; use letters, digits, ".", "_" and "-".`);
}

function defaultName({ facts, remembered }: OptionSources): string {
  if (remembered.name !== undefined) return remembered.name;
  const [label = ""] = facts.hostName.split(".");
  const plain = label.replaceAll(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^[^\p{L}\p{N}]+/u, "");
  return plain === "" ? "peer" : plain.slice(0, NAME_CHARS_MAX);
}

function listenOptions(
  given: readonly string[],
  remembered: Remembered,
): Pick<DaemonOptions, "listen" | "listenFallback"> {
  if (given.length > LISTEN_MAX) throw usage(`--listen: at most ${LISTEN_MAX} addresses.`);
  if (given.length === 0) {
    const { port, listen = port === undefined ? undefined : [`0.0.0.0:${port}`] } = remembered;
    if (listen === undefined) return { listen: ["0.0.0.0:0"] };
    return { listen, listenFallback: listen.map((text) => text.replace(/\d+$/, "0")) };
  }
  const wanted = given.map(checkedAddress);
  const { port } = remembered;
  const [first = "", ...others] = wanted;
  // What is remembered is the port of the first address.
  if (port === undefined || !first.endsWith(ANY_PORT)) return { listen: wanted };
  // Any port is the one it had: where all daemons stopped at once, nobody is left who could tell of a new one.
  const before = `${first.slice(0, -ANY_PORT.length)}:${port}`;
  return { listen: [before, ...others], listenFallback: wanted };
}

const ANY_PORT = ":0";

/** `host:port`, `:port` (everywhere), `host` (any port), `[::1]:4001`. A host is an IP address: names change under a daemon. */
function checkedAddress(text: string): string {
  const match = /^(\[[0-9a-fA-F:.]+\]|[\d.]*)(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] === "" ? "0.0.0.0" : match?.[1];
  const port = Number(match?.[2] ?? "0");
  const isHost = host !== undefined && (host.startsWith("[") || isIpv4(host));
  if (text === "" || !isHost || port > 65_535) {
    throw usage(`--listen: ${show(text)} is no address; write 0.0.0.0:4001, :4001 or [::]:4001.`);
  }
  return `${host}:${port}`;
}

function isIpv4(host: string): boolean {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}

function checkedCores(text: string, facts: HostFacts): number {
  const cpus = parseCores(text, facts.cpus);
  if (cpus === undefined)
    throw usage(`--cpus: ${show(text)} is no number of cores; write 4 or 50%.`);
  if (cpus < CPUS_MIN) throw usage(`--cpus: ${show(text)} is less than ${CPUS_MIN} of a core.`);
  if (cpus <= facts.cpus) return cpus;
  throw usage(`--cpus: this machine has ${facts.cpus}, not ${cpus}.`);
}

function checkedMem(text: string, facts: HostFacts): number {
  const bytes = checkedSize(text, { option: "--mem", whole: facts.memBytes, min: MEM_BYTES_MIN });
  if (bytes <= facts.memBytes) return bytes;
  throw usage(`--mem: this machine has ${gigabytes(facts.memBytes)}, not ${show(text)}.`);
}

function checkedStore(text: string, facts: HostFacts): number {
  const limits = { option: "--store-max", whole: facts.diskBytes, min: STORE_BYTES_MIN };
  const bytes = checkedSize(text, limits);
  if (bytes <= facts.diskBytes) return bytes;
  throw usage(`--store-max: the disk has ${gigabytes(facts.diskBytes)}, not ${show(text)}.`);
}

interface SizeLimits {
  readonly option: string;
  readonly whole: number;
  readonly min: number;
}

function checkedSize(text: string, limits: SizeLimits): number {
  const { option, whole, min } = limits;
  const bytes = parseSize(text, whole);
  if (bytes === undefined) throw usage(`${option}: ${show(text)} is no size; write 4GB or 50%.`);
  if (bytes < min) throw usage(`${option}: ${show(text)} is less than ${min / 1024 ** 2}MB.`);
  return bytes;
}

function parseLabels(given: readonly string[]): Record<string, string> {
  if (given.length > LABELS_MAX) throw usage(`--label: at most ${LABELS_MAX} labels.`);
  const labels = new Map<string, string>();
  for (const text of given) {
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? "" : text.slice(at + 1);
    const isGood = NAME.test(name) && (value === "" || NAME.test(value));
    if (!isGood || (at >= 0 && value === "") || text.length > LABEL_CHARS_MAX) {
      throw usage(`--label: ${show(text)} is no label; write fast or disk=ssd.`);
    }
    const before = labels.get(name);
    if (before !== undefined && before !== value) {
      throw usage(`--label: ${name} is given twice, with different values.`);
    }
    labels.set(name, value);
  }
  return Object.fromEntries(labels);
}

/** `work,store`. @throws MfError USAGE */
export function parseRoles(text: string, command: string): PeerRole[] {
  const names = text.split(",").map((name) => name.trim());
  const roles = names.map((name) => PEER_ROLES.find((role) => role === name));
  const unknown = names.find((_, index) => roles[index] === undefined);
  if (unknown !== undefined) {
    const message = `--roles: ${show(unknown)} is no role; roles are ${PEER_ROLES.join(", ")}.`;
    throw new MfError("USAGE", { message, command });
  }
  return [...new Set(roles.filter((role) => role !== undefined))];
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)}GB`;
}

function show(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}

function usage(message: string): MfError {
  return new MfError("USAGE", { message, command: "start" });
}
