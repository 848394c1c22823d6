import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { after, test } from "node:test";
import { StoredFileRef } from "../../../src/task/file-ref.ts";

const root = mkdtempSync(join(tmpdir(), "mf-file-ref-"));
after(() => rmSync(root, { recursive: true, force: true }));

async function pathOf(name: string): Promise<string> {
  const data = Buffer.from(name);
  const file = new StoredFileRef(
    { id: "bafkreiabcdefghijklmnop", name, size: data.length },
    { locate: async () => ({ inline: data }), tempDir: () => mkdtempSync(join(root, "attempt-")) },
  );
  const path = await file.path();
  assert.equal(readFileSync(path, "utf8"), name);
  return relative(root, path).split(sep).slice(2).join("/");
}

test("a file's path ends as its name says, with its directories", async () => {
  assert.equal(await pathOf("iris.csv"), "iris.csv");
  assert.equal(await pathOf("cats/small/1.png"), "cats/small/1.png");
});

test("no name leads out of the attempt's directory", async () => {
  assert.equal(await pathOf("../../etc/passwd"), "etc/passwd");
  assert.equal(await pathOf("/etc/passwd"), "etc/passwd");
  assert.equal(await pathOf("a\\..\\b"), "a_.._b");
  for (const name of ["", "..", "/", "./."]) assert.equal(await pathOf(name), "file");
});
