import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { contentIdOf } from "../../../../src/artifact/content.ts";
import { fileId } from "../../../../src/client/plan/file-id.ts";

const MIB = 1024 * 1024;
const SIZES = [0, 1, 16_385, 4 * MIB, 4 * MIB + 1, 16 * MIB, 16 * MIB + 1, 21 * MIB + 7];

test("a file has the id that the store would give it, whatever its size", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "mf-file-id-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "data");
  for (const size of SIZES) {
    const data = noise(size);
    writeFileSync(file, data);
    assert.deepEqual(await fileId(file), { id: contentIdOf("raw", data), bytes: size });
  }
});

test("what cannot be read says why", async () => {
  await assert.rejects(fileId(join(tmpdir(), "mf-no-such-file")), { code: "ENOENT" });
  await assert.rejects(fileId(tmpdir()), { code: "EISDIR" });
});

/** The same at each run, and without a pattern that the chunker could cut at. */
function noise(size: number): Buffer {
  const data = Buffer.alloc(size);
  let state = 0x9e3779b9;
  for (let at = 0; at < size; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    data[at] = state;
  }
  return data;
}
