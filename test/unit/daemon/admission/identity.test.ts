import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { isSignedBy, keyPairOf, peerIdOf, publicKeyOf } from "../../../../src/trust/ed25519.ts";
import { openIdentity } from "../../../../daemon/admission/identity.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { base58Decode, base58Encode } from "../../../../src/std/base58.ts";

function home(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "mf-identity-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("a peer id is written as libp2p writes it", async () => {
  for (const fill of [0, 1, 7, 255]) {
    const seed = new Uint8Array(32).fill(fill);
    const expected = peerIdFromPrivateKey(await generateKeyPairFromSeed("Ed25519", seed));
    const keys = keyPairOf(seed);
    assert.equal(peerIdOf(keys.publicKey), expected.toString());
    assert.deepEqual(publicKeyOf(expected.toString()), keys.publicKey);
  }
});

test("what is no Ed25519 peer id has no key", () => {
  for (const text of ["", "12D3KooW", "Qm".padEnd(52, "a"), "0".repeat(52), "z".repeat(5000)]) {
    assert.equal(publicKeyOf(text), undefined);
  }
});

test("base58 gives back every byte, leading zeros included", () => {
  for (const data of [[], [0], [0, 0, 1], [255, 255], [...Buffer.from("Hello World!")]]) {
    assert.deepEqual([...(base58Decode(base58Encode(Uint8Array.from(data))) ?? [])], data);
  }
  assert.equal(base58Encode(Buffer.from("Hello World!")), "2NEpo7TZRRrLZSi2U");
  assert.equal(base58Decode("0OIl"), undefined);
});

test("a signature counts for its bytes and its key only, and garbage is simply not signed", () => {
  const [a, b] = [keyPairOf(new Uint8Array(32).fill(1)), keyPairOf(new Uint8Array(32).fill(2))];
  const data = Buffer.from("said");
  const signature = a.sign(data);
  assert.equal(isSignedBy(a.publicKey, data, signature), true);
  assert.equal(isSignedBy(b.publicKey, data, signature), false);
  assert.equal(isSignedBy(a.publicKey, Buffer.from("sair"), signature), false);
  assert.equal(isSignedBy(new Uint8Array(3), data, signature), false);
  assert.equal(isSignedBy(a.publicKey, data, new Uint8Array(64)), false);
});

test("an identity stays, and its boot counter grows with each start", (t) => {
  const folder = home(t);
  const first = openIdentity(folder, systemRandom);
  const second = openIdentity(folder, systemRandom);
  assert.equal(second.identity.peerId, first.identity.peerId);
  assert.deepEqual([first.boot, second.boot], [1, 2]);
  assert.equal(statSync(join(folder, "identity", "key")).mode & 0o777, 0o600);
});

test("a key that others can read is refused", (t) => {
  const folder = home(t);
  openIdentity(folder, systemRandom);
  chmodSync(join(folder, "identity", "key"), 0o640);
  assert.throws(
    () => openIdentity(folder, systemRandom),
    (error) => isMfError(error, "FILE_EXPOSED") && error.message.includes("640"),
  );
});

test("a damaged key or counter is told and never replaced", (t) => {
  for (const file of ["key", "boot"]) {
    for (const text of ["", "mf-key-1 12\n", "mf-boot-1 -4", "mf-boot-1 1e9", "x".repeat(10_000)]) {
      const folder = home(t);
      openIdentity(folder, systemRandom);
      writeFileSync(join(folder, "identity", file), text);
      assert.throws(
        () => openIdentity(folder, systemRandom),
        (error) => isMfError(error, "FILE_DAMAGED"),
      );
    }
  }
});
