/**
 * Who this daemon is: a key made once and kept in home/identity, and how often it has started. A peer's record with a higher boot
 * counter is always newer, so the counter is durable before anything is said with it.
 */
import { join } from "node:path";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerIdentity } from "../../src/wire/admission.ts";
import {
  makePrivateFolder,
  readPrivateFile,
  writePrivateFile,
} from "../../src/std/durable-file.ts";
import { keyPairOf, peerIdOf, SEED_BYTES } from "./ed25519.ts";

/** `mf-key-1 ` or `mf-boot-1 `, the value, a line end. */
const IDENTITY_FILE_BYTES_MAX = 256;

export interface OpenedIdentity {
  readonly identity: PeerIdentity;
  /** How many times this identity has started, this time included. */
  readonly boot: number;
}

/** Call once a start, while holding the home's lock. @throws MfError FILE_EXPOSED, FILE_DAMAGED */
export function openIdentity(home: string, random: Random): OpenedIdentity {
  const folder = join(home, "identity");
  makePrivateFolder(folder);
  const seed = openSeed(join(folder, "key"), random);
  const keys = keyPairOf(seed);
  const boot = countBoot(join(folder, "boot"));
  const peerId = peerIdOf(keys.publicKey);
  return { identity: { peerId, seed, sign: (data) => keys.sign(data) }, boot };
}

function openSeed(file: string, random: Random): Uint8Array {
  const text = readLine(file);
  if (text === undefined) {
    const seed = new Uint8Array(random.bytes(SEED_BYTES));
    writePrivateFile(file, `mf-key-1 ${Buffer.from(seed).toString("hex")}\n`);
    return seed;
  }
  const hex = /^mf-key-1 ([0-9a-f]{64})$/.exec(text)?.[1];
  if (hex === undefined) throw damaged(file, "it holds no key of this version");
  return new Uint8Array(Buffer.from(hex, "hex"));
}

/** Never guesses: a counter that went back would let others ignore what this daemon says of itself. */
function countBoot(file: string): number {
  const text = readLine(file);
  const before = text === undefined ? "0" : /^mf-boot-1 (\d{1,15})$/.exec(text)?.[1];
  if (before === undefined) throw damaged(file, "it holds no count");
  const boot = Number(before) + 1;
  writePrivateFile(file, `mf-boot-1 ${boot}\n`);
  return boot;
}

function readLine(file: string): string | undefined {
  const found = readPrivateFile(file, IDENTITY_FILE_BYTES_MAX);
  switch (found.t) {
    case "missing":
      return undefined;
    case "exposed":
      throw new MfError("FILE_EXPOSED", { file, mode: found.mode });
    case "too-big":
      throw damaged(file, `it has ${found.bytes} bytes`);
    case "read":
      return Buffer.from(found.data).toString("utf8").trimEnd();
  }
}

function damaged(file: string, reason: string): MfError {
  return new MfError("FILE_DAMAGED", { file, reason });
}
