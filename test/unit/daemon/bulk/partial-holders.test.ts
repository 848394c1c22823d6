import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { cidFromDigest, parseCid } from "../../../../src/artifact/cid.ts";
import { decodeManifest } from "../../../../src/artifact/manifest.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import { TestMesh, type TestPeer } from "./bulk-fixture.ts";

const MIB = 1024 * 1024;

/** An artifact whose maker is gone, dealt out: chunk i is at the peers that `deal` names. */
async function dealt(
  deal: (chunk: number) => readonly string[],
  manifestAt: readonly string[],
): Promise<{ mesh: TestMesh; id: Cid; data: Buffer; reader: TestPeer }> {
  const hidden = new TestMesh();
  after(() => hidden.close());
  const maker = await hidden.peer("maker");
  const data = randomBytes(10 * MIB);
  const { id } = await maker.store.putBytes(data, "raw");
  const manifest = await maker.store.read(cidFromDigest("raw", parseCid(id).digest));
  const mesh = new TestMesh();
  after(() => mesh.close());
  const peers = new Map<string, TestPeer>();
  for (const name of ["x", "y", "reader"]) peers.set(name, await mesh.peer(name));
  const keep = async (names: readonly string[], content: Cid, bytes: Uint8Array): Promise<void> => {
    for (const name of names) {
      await peers.get(name)?.store.commit({ inline: [{ id: content, data: bytes }] });
    }
  };
  await keep(manifestAt, id, manifest);
  const { chunks } = decodeManifest(manifest);
  assert.ok(chunks.length > 3);
  for (const [i, chunk] of chunks.entries()) {
    await keep(deal(i), chunk.id, await maker.store.read(chunk.id));
  }
  return { mesh, id, data, reader: peers.get("reader") as TestPeer };
}

test("what nobody holds whole is put together from those who hold parts of it", async () => {
  const { id, data, reader } = await dealt((chunk) => (chunk % 2 === 0 ? ["x"] : ["y"]), ["y"]);
  await reader.bulk.bring([id]);
  assert.ok(data.equals(await reader.store.read(id)));
});

test("where one chunk is nowhere it is missing, and the rest is kept for the next time", async () => {
  const { id, reader } = await dealt((chunk) => (chunk === 1 ? [] : ["x", "y"]), ["x"]);
  await assert.rejects(reader.bulk.bring([id]), (error) => isMfError(error, "CONTENT_MISSING"));
  const manifest = await reader.store.read(cidFromDigest("raw", parseCid(id).digest));
  const chunks = decodeManifest(manifest).chunks.map((chunk) => chunk.id);
  const here = await reader.store.has(chunks);
  assert.deepEqual(
    here,
    chunks.map((_chunk, i) => i !== 1),
  );
});
