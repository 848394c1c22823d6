/**
 * Who this daemon is: the key of its home, and how often it has started. A peer's record with a higher boot counter is always newer,
 * so the counter is durable before anything is said with it.
 */
import { join } from "node:path";
import type { Random } from "../../src/env/random.ts";
import type { PeerIdentity } from "../../src/wire/admission.ts";
import { writePrivateFile } from "../../src/std/durable-file.ts";
import { peerIdOf } from "../../src/trust/ed25519.ts";
import {
  damagedIdentity,
  identityFolder,
  openIdentityKey,
  readIdentityLine,
} from "../../src/trust/identity-key.ts";

export interface OpenedIdentity {
  readonly identity: PeerIdentity;
  /** How many times this identity has started, this time included. */
  readonly boot: number;
}

/** Call once a start, while holding the home's lock. @throws MfError FILE_EXPOSED, FILE_DAMAGED */
export function openIdentity(home: string, random: Random): OpenedIdentity {
  const keys = openIdentityKey(home, random);
  const boot = countBoot(join(identityFolder(home), "boot"));
  const peerId = peerIdOf(keys.publicKey);
  return { identity: { peerId, seed: keys.seed, sign: (data) => keys.sign(data) }, boot };
}

/** Never guesses: a counter that went back would let others ignore what this daemon says of itself. */
function countBoot(file: string): number {
  const text = readIdentityLine(file);
  const before = text === undefined ? "0" : /^mf-boot-1 (\d{1,15})$/.exec(text)?.[1];
  if (before === undefined) throw damagedIdentity(file, "it holds no count");
  const boot = Number(before) + 1;
  writePrivateFile(file, `mf-boot-1 ${boot}\n`);
  return boot;
}
