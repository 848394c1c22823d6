/**
 * What members tell each other about who is there and how loaded they are: one notice, six forms, short field names because each
 * peer says some of it every second. Who a peer is travels as its key, the end of its id; the whole id once, in `about`.
 * Numbers of a load record are clamped, everything else that is out of bounds makes the message malformed.
 */
import * as v from "valibot";
import {
  PEER_ROLES,
  type GpuLoad,
  type LoadRecord,
  type PeerId,
  type PeerProfile,
  type PeerRole,
} from "../model/peer.ts";
import { message, MESSAGE_BYTES_MAX } from "./message.ts";
import type { NoticeType } from "./transport.ts";

/** Characters of a peer's key: 58^8 keys; two of a thousand peers share one once in a hundred million meshes. */
export const PEER_KEY_CHARS = 8;
/** Boot counters, incarnations, versions: an increment a second fills it in 136 years. */
export const COUNT_MAX = 2 ** 32 - 1;
/** Accusers that a suspicion names: the first and three who confirm it (Lifeguard). */
export const ACCUSERS_MAX = 4;
export const ADDRESSES_MAX = 8;
/** Items of one message: as many as there are peers. */
export const ITEMS_MAX = 1024;
export const DIGEST_BYTES_MAX = 32 * 1024;

const ADDRESS_CHARS_MAX = 256;
const LABELS_MAX = 16;
const NAME_CHARS_MAX = 64;
const LABEL_CHARS_MAX = 128;
const RELEASE_CHARS_MAX = 32;
const GPUS_MAX = 16;
const PROOF_BYTES = 16;
const MIB = 1024 * 1024;

/** By index on the wire, in the order in which one overrules another of the same incarnation. */
export const STATES_BY_RANK = ["alive", "suspect", "dead", "asleep", "left"] as const;
const STORE_STATES = ["rw", "tight", "full", "poisoned"] as const;

/** Bits of a want. */
export const WANT_STATE = 1;
export const WANT_ABOUT = 2;
export const WANT_LOAD = 4;
export const WANT_ALL = WANT_STATE | WANT_ABOUT | WANT_LOAD;

export type PeerKey = string;

export function peerKey(peer: PeerId): PeerKey {
  return peer.slice(-PEER_KEY_CHARS);
}

const text = (chars: number) => v.pipe(v.string(), v.maxLength(chars));
const key = v.pipe(v.string(), v.regex(/^[\w-]{1,8}$/));
const peerId = v.pipe(
  v.string(),
  v.regex(/^[\w-]{1,128}$/),
  v.transform((id) => id as PeerId),
);
const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(COUNT_MAX));
const bytes = (length: number) =>
  v.pipe(
    v.custom<Uint8Array>((value) => value instanceof Uint8Array, "no bytes"),
    v.maxLength(length),
  );
/** A measured value: what lies beyond its range is a broken sensor, not a reason to refuse the message. */
const amount = (max: number) =>
  v.pipe(
    v.number(),
    v.finite(),
    v.transform((value) => Math.min(max, Math.max(0, Math.round(value)))),
  );

const gpu = v.tuple([text(64), text(64), amount(COUNT_MAX), amount(COUNT_MAX), amount(100)]);

/** A LoadRecord in the order of its fields: hundredths of cores, percent, MiB, ms. */
const load = v.tuple([
  amount(1e7), // cpus, hundredths
  amount(100), // cpuBusy, percent
  amount(COUNT_MAX), // memory, MiB
  amount(COUNT_MAX), // free memory, MiB
  amount(COUNT_MAX), // free disk, MiB
  v.pipe(count, v.maxValue(STORE_STATES.length - 1)),
  amount(1e5), // slots
  amount(1e5), // busy slots
  amount(1e6), // queue
  amount(1e6), // loop delay, ms
  v.boolean(),
  v.pipe(v.array(gpu), v.maxLength(GPUS_MAX)),
]);

/** What a peer says of itself, rarely changed. `boot` and `version` order it; `leaveCommitment` is the hash of its leave proof. */
const about = v.object({
  id: peerId,
  boot: count,
  version: count,
  name: text(NAME_CHARS_MAX),
  release: text(RELEASE_CHARS_MAX),
  /** A role that we do not know is a newer peer's: it gives nothing here. */
  roles: v.pipe(
    v.array(text(32)),
    v.maxLength(16),
    v.transform((roles) =>
      roles.filter((role): role is PeerRole => (PEER_ROLES as readonly string[]).includes(role)),
    ),
  ),
  labels: v.pipe(v.record(text(NAME_CHARS_MAX), text(LABEL_CHARS_MAX)), v.maxEntries(LABELS_MAX)),
  platform: text(NAME_CHARS_MAX),
  abi: text(RELEASE_CHARS_MAX),
  addresses: v.pipe(v.array(text(ADDRESS_CHARS_MAX)), v.maxLength(ADDRESSES_MAX)),
  leaveCommitment: bytes(PROOF_BYTES),
  certificate: v.optional(text(64)),
});

const item = v.object({
  k: key,
  /** Boot counter that `s` and `l` belong to. */
  b: count,
  /** Counter within the boot, state by rank, keys of who accuses. */
  s: v.optional(
    v.tuple([
      count,
      v.pipe(count, v.maxValue(STATES_BY_RANK.length - 1)),
      v.pipe(v.array(key), v.maxLength(ACCUSERS_MAX)),
    ]),
  ),
  a: v.optional(about),
  /** Version of the load record, and the record. */
  l: v.optional(v.tuple([count, load])),
  /** Proof that the peer itself left. */
  p: v.optional(bytes(PROOF_BYTES)),
});

const items = v.pipe(v.array(item), v.maxLength(ITEMS_MAX));
/** Key, and what of it: WANT_STATE | WANT_ABOUT | WANT_LOAD. */
const wants = v.pipe(
  v.array(v.tuple([key, v.pipe(count, v.maxValue(WANT_ALL))])),
  v.maxLength(ITEMS_MAX),
);

const talk = v.variant("t", [
  /** Are you there? With a digest: and what do you know that I do not? */
  v.object({ t: v.literal("ping"), q: count, d: v.optional(bytes(DIGEST_BYTES_MAX)), i: items }),
  v.object({ t: v.literal("ack"), q: count, i: items, w: wants }),
  v.object({ t: v.literal("news"), i: items }),
  /** Please ask `k` whether it is there. */
  v.object({ t: v.literal("ask"), q: count, k: key }),
  v.object({ t: v.literal("told"), q: count, ok: v.boolean() }),
  v.object({
    t: v.literal("bye"),
    why: v.picklist(["leave", "sleep", "restart", "drain"]),
    i: items,
  }),
]);

export type Talk = v.InferOutput<typeof talk>;
export type TalkItem = v.InferOutput<typeof item>;
export type Want = v.InferOutput<typeof wants>[number];
export type About = v.InferOutput<typeof about>;
export type LoadTuple = v.InferOutput<typeof load>;
export type LeaveReason = Extract<Talk, { t: "bye" }>["why"];

export const TALK: NoticeType<Talk> = {
  name: "/mf/membership/1/talk",
  message: message(talk, MESSAGE_BYTES_MAX),
};

/** A profile within the bounds of the message: what we say must not be refused by all others for a label that is too long. */
export function aboutProfile(
  profile: PeerProfile,
): Pick<About, "name" | "release" | "roles" | "labels" | "platform" | "abi"> {
  const labels = Object.entries(profile.labels)
    .slice(0, LABELS_MAX)
    .map(([name, value]) => [name.slice(0, NAME_CHARS_MAX), value.slice(0, LABEL_CHARS_MAX)]);
  return {
    name: profile.name.slice(0, NAME_CHARS_MAX),
    release: profile.version.slice(0, RELEASE_CHARS_MAX),
    roles: [...profile.roles],
    labels: Object.fromEntries(labels) as Record<string, string>,
    platform: profile.platform.slice(0, NAME_CHARS_MAX),
    abi: profile.abi.slice(0, RELEASE_CHARS_MAX),
  };
}

export function loadToTuple(record: LoadRecord): LoadTuple {
  const mib = (value: number): number => Math.floor(finite(value) / MIB);
  return [
    Math.round(finite(record.cpus) * 100),
    Math.round(finite(record.cpuBusy) * 100),
    mib(record.memBytes),
    mib(record.memFreeBytes),
    mib(record.diskFreeBytes),
    Math.max(0, STORE_STATES.indexOf(record.store)),
    finite(record.slots.total),
    finite(record.slots.busy),
    finite(record.queue),
    Math.round(finite(record.loopDelayMs)),
    record.isAccepting,
    record.gpus
      .slice(0, GPUS_MAX)
      .map(({ uuid, name, memBytes, memFreeBytes, busy }) => [
        uuid.slice(0, 64),
        name.slice(0, 64),
        mib(memBytes),
        mib(memFreeBytes),
        Math.round(finite(busy) * 100),
      ]),
  ];
}

/** A sensor's NaN is no reason to say nothing. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0;
}

export function loadFromTuple(tuple: LoadTuple): LoadRecord {
  const [
    cpus,
    cpuBusy,
    mem,
    memFree,
    diskFree,
    store,
    total,
    busy,
    queue,
    delay,
    isAccepting,
    gpus,
  ] = tuple;
  return {
    cpus: cpus / 100,
    cpuBusy: cpuBusy / 100,
    memBytes: mem * MIB,
    memFreeBytes: Math.min(mem, memFree) * MIB,
    gpus: gpus.map(gpuFromTuple),
    diskFreeBytes: diskFree * MIB,
    store: STORE_STATES[store] ?? "full",
    slots: { total, busy: Math.min(total, busy) },
    queue,
    loopDelayMs: delay,
    isAccepting,
  };
}

function gpuFromTuple([uuid, name, mem, memFree, busy]: LoadTuple[11][number]): GpuLoad {
  return {
    uuid,
    name,
    memBytes: mem * MIB,
    memFreeBytes: Math.min(mem, memFree) * MIB,
    busy: busy / 100,
  };
}
