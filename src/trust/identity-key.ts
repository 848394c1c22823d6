/** The key of a home: made on first use and kept in home/identity/key, readable by its owner alone. A daemon and `mf run` share it. */
import { join } from "node:path";
import type { Random } from "../env/random.ts";
import { MfError } from "../model/errors.ts";
import type { PeerId } from "../model/peer.ts";
import { makePrivateFolder, readPrivateFile, writePrivateFile } from "../std/durable-file.ts";
import { keyPairOf, peerIdOf, SEED_BYTES, type KeyPair } from "./ed25519.ts";
import type { FactSigner } from "./fact-page.ts";

/** `mf-key-1 ` or `mf-boot-1 `, the value, a line end. */
const IDENTITY_FILE_BYTES_MAX = 256;

/** Call while holding the home's lock. @throws MfError FILE_EXPOSED, FILE_DAMAGED */
export function openIdentityKey(home: string, random: Random): KeyPair {
  const folder = identityFolder(home);
  makePrivateFolder(folder);
  const file = join(folder, "key");
  const text = readIdentityLine(file);
  if (text === undefined) {
    const seed = new Uint8Array(random.bytes(SEED_BYTES));
    writePrivateFile(file, `mf-key-1 ${Buffer.from(seed).toString("hex")}\n`);
    return keyPairOf(seed);
  }
  const seed = seedIn(text);
  if (seed === undefined) throw damagedIdentity(file, "it holds no key of this version");
  return keyPairOf(seed);
}

/** Signs what is made in this home. Call while holding its lock. @throws MfError FILE_EXPOSED, FILE_DAMAGED */
export function openSigner(home: string, random: Random): FactSigner {
  const keys = openIdentityKey(home, random);
  return { peerId: peerIdOf(keys.publicKey), sign: (data) => keys.sign(data) };
}

/** Whose home this is; undefined where it has no key that can be read. */
export function identityPeer(home: string): PeerId | undefined {
  const found = readPrivateFile(join(identityFolder(home), "key"), IDENTITY_FILE_BYTES_MAX);
  if (found.t !== "read") return undefined;
  const seed = seedIn(Buffer.from(found.data).toString("utf8").trimEnd());
  return seed === undefined ? undefined : peerIdOf(keyPairOf(seed).publicKey);
}

function seedIn(text: string): Uint8Array | undefined {
  const hex = /^mf-key-1 ([0-9a-f]{64})$/.exec(text)?.[1];
  return hex === undefined ? undefined : new Uint8Array(Buffer.from(hex, "hex"));
}

export function identityFolder(home: string): string {
  return join(home, "identity");
}

/** Undefined where there is no such file. @throws MfError FILE_EXPOSED, FILE_DAMAGED */
export function readIdentityLine(file: string): string | undefined {
  const found = readPrivateFile(file, IDENTITY_FILE_BYTES_MAX);
  switch (found.t) {
    case "missing":
      return undefined;
    case "exposed":
      throw new MfError("FILE_EXPOSED", { file, mode: found.mode });
    case "too-big":
      throw damagedIdentity(file, `it has ${found.bytes} bytes`);
    case "read":
      return Buffer.from(found.data).toString("utf8").trimEnd();
  }
}

export function damagedIdentity(file: string, reason: string): MfError {
  return new MfError("FILE_DAMAGED", { file, reason });
}
