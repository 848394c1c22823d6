import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openIdentity } from "../../../daemon/admission/identity.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { openSigner } from "../../../src/trust/identity-key.ts";

test("a home has one key, made on first use, private, the same for mf run and a daemon", (t) => {
  const home = mkdtempSync(join(tmpdir(), "mf-key-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const { peerId } = openSigner(home, systemRandom);
  const file = join(home, "identity", "key");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(openSigner(home, systemRandom).peerId, peerId);
  assert.equal(openIdentity(home, systemRandom).identity.peerId, peerId);
  const text = readFileSync(file, "utf8");

  writeFileSync(file, "mf-key-1 nonsense\n", { mode: 0o600 });
  assert.throws(
    () => openSigner(home, systemRandom),
    (error) => isMfError(error, "FILE_DAMAGED"),
  );
  writeFileSync(file, text);
  chmodSync(file, 0o644);
  assert.throws(
    () => openSigner(home, systemRandom),
    (error) => isMfError(error, "FILE_EXPOSED"),
  );
});
