/**
 * Who vouches for facts: a page lists the hashes of facts that were made together and is signed by the peer that ran the tasks. One
 * signature a batch, because a core signs ten thousand things a second and facts come faster. A page is a small content like any
 * other; a fact names the one it is on.
 *
 * A list of leaves, not a tree: a path to a root would have to be kept with each fact (eight hashes for 256 facts), the list is kept
 * once (one hash a fact), and whoever checks one fact of a run checks its neighbours too.
 *
 * The form is fixed, one for each meaning: `mf-page1`, time (float64, big-endian, ms), the peer's public key, the number of leaves
 * (uint16), leaves of 32 bytes, and the signature over everything before it.
 */
import { hash } from "node:crypto";
import { cidOf } from "../artifact/cid.ts";
import { INLINE_BYTES_MAX } from "../artifact/content.ts";
import type { ArtifactRef, Fact } from "../model/fact.ts";
import type { Cid } from "../model/ids.ts";
import type { PeerId } from "../model/peer.ts";
import { assert, defined } from "../std/assert.ts";
import { isSignedBy, peerIdOf, publicKeyOf } from "./ed25519.ts";

/** Whoever makes facts: a daemon's identity, or that of a home without one. */
export interface FactSigner {
  readonly peerId: PeerId;
  sign(data: Uint8Array): Uint8Array;
}

/** A page as it is stored. */
export interface StoredPage {
  readonly id: Cid;
  readonly data: Uint8Array;
}

export interface FactPage {
  readonly peer: PeerId;
  /** Ms since 1970. */
  readonly at: number;
  /** Hex. */
  readonly leaves: ReadonlySet<string>;
}

const MAGIC = Buffer.from("mf-page1");
/** So that a signature for one purpose is none for another. */
const DOMAIN = Buffer.from("mf-fact-page-1\0");
const LEAF_BYTES = 32;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const HEAD_BYTES = MAGIC.length + 8 + KEY_BYTES + 2;

/** What leaves a page inside the index, with room. */
export const PAGE_LEAVES_MAX = 400;
export const PAGE_BYTES_MAX = HEAD_BYTES + PAGE_LEAVES_MAX * LEAF_BYTES + SIGNATURE_BYTES;
assert(PAGE_BYTES_MAX <= INLINE_BYTES_MAX);

/** The hash of everything a fact says, but which page it is on. It is in signatures, so it may never change. */
export function factLeaf(fact: Fact): Buffer {
  // By way of a string: for small data, that is four times as fast as asking for a Buffer.
  return Buffer.from(hash("sha256", JSON.stringify(canonicalParts(fact)), "binary"), "latin1");
}

function canonicalParts(fact: Fact): unknown[] {
  const { memoKey, flow, step, code, env, seed, by, at, wallMs, cpuMs, rssBytesMax, run } = fact;
  const inputs = sortedKeys(fact.inputs).map((name) => [name, fact.inputs[name]]);
  const outputs = sortedKeys(fact.outputs).map((name) => {
    const { id, bytes, kind } = fact.outputs[name] as ArtifactRef;
    return [name, id, bytes, kind];
  });
  const what = [memoKey, flow, step, code, env, seed, inputs, outputs];
  return [
    "mf-fact-1",
    ...what,
    by,
    at,
    wallMs,
    cpuMs,
    rssBytesMax,
    ...(run === undefined ? [] : [run]),
  ];
}

function sortedKeys(fields: object): string[] {
  const keys = Object.keys(fields);
  return keys.length > 1 ? keys.sort() : keys;
}

export interface SignedFacts {
  /** As they were given, each with its page. */
  readonly groups: readonly (readonly Fact[])[];
  readonly pages: readonly StoredPage[];
}

/** Facts of one group share a page; what of a group is too much for one page stays unsigned. */
export function signFacts(
  groups: readonly (readonly Fact[])[],
  signer: FactSigner,
  at: number,
): SignedFacts {
  const signed: Fact[][] = [];
  const pages: StoredPage[] = [];
  let open: (readonly Fact[])[] = [];
  let count = 0;
  const flush = (): void => {
    if (count === 0) return;
    const page = pageOf(
      open.flatMap((group) => group.slice(0, PAGE_LEAVES_MAX)),
      signer,
      at,
    );
    pages.push(page);
    for (const group of open) signed.push(onPage(group, page.id));
    open = [];
    count = 0;
  };
  for (const group of groups) {
    const leaves = Math.min(group.length, PAGE_LEAVES_MAX);
    if (count + leaves > PAGE_LEAVES_MAX) flush();
    open.push(group);
    count += leaves;
  }
  flush();
  return { groups: signed, pages };
}

/** One group, as `signFacts` gives it back. */
export function onPage(group: readonly Fact[], page: Cid): Fact[] {
  return group.map((fact, place) => (place < PAGE_LEAVES_MAX ? { ...fact, page } : fact));
}

function pageOf(facts: readonly Fact[], signer: FactSigner, at: number): StoredPage {
  const body = Buffer.allocUnsafe(HEAD_BYTES + facts.length * LEAF_BYTES);
  const key = defined(publicKeyOf(signer.peerId), "a signer's id holds its key");
  body.set(MAGIC, 0);
  body.writeDoubleBE(at, MAGIC.length);
  body.set(key, MAGIC.length + 8);
  body.writeUInt16BE(facts.length, HEAD_BYTES - 2);
  for (const [place, fact] of facts.entries())
    body.set(factLeaf(fact), HEAD_BYTES + place * LEAF_BYTES);
  const signature = signer.sign(Buffer.concat([DOMAIN, body]));
  const data = new Uint8Array(Buffer.concat([body, signature]));
  return { id: cidOf("raw", data), data };
}

/** Undefined where it is no page, or its signature is not that of the peer it names. */
export function readPage(data: Uint8Array): FactPage | undefined {
  if (data.length < HEAD_BYTES + SIGNATURE_BYTES || data.length > PAGE_BYTES_MAX) return undefined;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  if (!MAGIC.equals(bytes.subarray(0, MAGIC.length))) return undefined;
  const count = bytes.readUInt16BE(HEAD_BYTES - 2);
  const end = HEAD_BYTES + count * LEAF_BYTES;
  if (data.length !== end + SIGNATURE_BYTES) return undefined;
  const at = bytes.readDoubleBE(MAGIC.length);
  if (!Number.isFinite(at) || at < 0) return undefined;
  const key = bytes.subarray(MAGIC.length + 8, MAGIC.length + 8 + KEY_BYTES);
  const said = Buffer.concat([DOMAIN, bytes.subarray(0, end)]);
  if (!isSignedBy(key, said, bytes.subarray(end))) return undefined;
  const leaves = new Set<string>();
  for (let place = HEAD_BYTES; place < end; place += LEAF_BYTES)
    leaves.add(bytes.toString("hex", place, place + LEAF_BYTES));
  return { peer: peerIdOf(key), at, leaves };
}

export function isOnPage(page: FactPage, fact: Fact): boolean {
  return page.leaves.has(factLeaf(fact).toString("hex"));
}
