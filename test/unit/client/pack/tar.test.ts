import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { WindowedFile } from "../../../../src/client/pack/windowed-file.ts";
import { tarEntries, TarWriter, type TarEntry } from "../../../../src/client/pack/tar.ts";

const folder = mkdtempSync(join(tmpdir(), "mf-tar-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

async function written(write: (tar: TarWriter) => Promise<void>): Promise<Buffer> {
  const file = await open(join(folder, `${count++}.tar`), "wx+");
  try {
    await write(new TarWriter(file));
    return await read(file);
  } finally {
    await file.close();
  }
}

async function read(file: Awaited<ReturnType<typeof open>>): Promise<Buffer> {
  const { size } = await file.stat();
  const data = Buffer.alloc(size);
  await file.read(data, 0, size, 0);
  return data;
}

async function entriesOf(data: Uint8Array): Promise<TarEntry[]> {
  const file = await open(join(folder, `${count++}.tar`), "wx+");
  try {
    await file.writeFile(data);
    const entries: TarEntry[] = [];
    for await (const entry of tarEntries(new WindowedFile(file, data.length))) entries.push(entry);
    return entries;
  } finally {
    await file.close();
  }
}

const sample = (): Promise<Buffer> =>
  written(async (tar) => {
    await tar.add("a.json", Buffer.from("one"));
    await tar.begin("contents/empty", 0);
    await tar.begin("contents/x-1.y", 1_024);
    await tar.write(Buffer.alloc(1_000, 1));
    await tar.write(Buffer.alloc(24, 2));
    await tar.end();
  });

const sumAt = 148;
/** A header with other bytes, and a sum that fits. */
function withHeader(data: Buffer, at: number, bytes: string): Buffer {
  const bent = Buffer.from(data);
  bent.write(bytes, at, "latin1");
  bent.fill(0x20, sumAt, sumAt + 8);
  let sum = 0;
  for (const byte of bent.subarray(0, 512)) sum += byte;
  bent.write(`${sum.toString(8).padStart(6, "0")}\0 `, sumAt, "latin1");
  return bent;
}

test("entries come back with their places", async () => {
  const data = await sample();
  assert.equal(data.length % 512, 0);
  const entries = await entriesOf(data);
  assert.deepEqual(
    entries.map(({ name, bytes }) => [name, bytes]),
    [
      ["a.json", 3],
      ["contents/empty", 0],
      ["contents/x-1.y", 1_024],
    ],
  );
  const [first] = entries;
  assert.equal(data.toString("latin1", first?.offset, (first?.offset ?? 0) + 3), "one");
});

test("a size over eight gibibytes is written and read in base 256", async () => {
  const bytes = 9 * 1024 ** 3;
  const data = await written(async (tar) => {
    await tar.begin("contents/large", bytes);
    await tar.end();
  });
  const read = async (): Promise<Uint8Array> => data.subarray(0, 512);
  const entries = tarEntries({ bytes: 512 + bytes, read });
  assert.equal((await entries.next()).value?.bytes, bytes);
});

test("names that lead elsewhere, links, folders, damage and cuts are refused", async () => {
  const data = await sample();
  const hostile = [
    withHeader(data, 0, "../a.json\0"),
    withHeader(data, 0, "/etc/x\0"),
    withHeader(data, 0, "a//b\0"),
    withHeader(data, 0, "a/../b\0"),
    withHeader(data, 0, "a\u0001b\0"),
    withHeader(data, 0, "\0"),
    withHeader(data, 156, "2"),
    withHeader(data, 156, "5"),
    withHeader(data, 156, "x"),
    withHeader(data, 345, "prefix"),
    withHeader(data, 124, "-0000000001\0"),
    withHeader(data, 124, "77777777777\0"),
    withHeader(data, 257, "other"),
    Buffer.concat([Buffer.from("no tar"), data]),
    data.subarray(0, 700),
    data.subarray(0, 100),
    data.subarray(0, data.length - 1024),
    Buffer.alloc(0),
  ];
  for (const [at, bytes] of hostile.entries())
    await assert.rejects(entriesOf(bytes), RangeError, `hostile ${at}`);
  const bent = Buffer.from(data);
  bent[0] = (bent[0] ?? 0) ^ 1;
  await assert.rejects(entriesOf(bent), RangeError);
});

test("a writer takes neither other names nor more bytes than it was told", async () => {
  for (const name of ["", "../x", "/x", "x".repeat(101), "ü"])
    await assert.rejects(
      written((tar) => tar.add(name, new Uint8Array(1))),
      RangeError,
    );
  await assert.rejects(
    written(async (tar) => {
      await tar.begin("x", 1);
      await tar.write(new Uint8Array(2));
      await tar.end();
    }),
    RangeError,
  );
});
