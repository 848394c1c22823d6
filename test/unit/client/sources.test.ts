import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeValue } from "../../../src/artifact/codec.ts";
import { cidOf } from "../../../src/artifact/cid.ts";
import { contentIdOf } from "../../../src/artifact/content.ts";
import { brandedFile, type FileInfo } from "../../../src/artifact/file-brand.ts";
import { localReadSide } from "../../../src/client/control/local-read-side.ts";
import { Records } from "../../../src/client/records.ts";
import { loadSource, splitSource } from "../../../src/client/sources.ts";
import { sourceName } from "../../../src/graph/source-spec.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { runText, type RunRef } from "../../../src/model/ids.ts";
import type { SourceValue } from "../../../src/model/journal.ts";
import { engineFixture } from "../../support/engine-fixture.ts";

const file = (name: string, text: string): FileInfo =>
  brandedFile({ id: cidOf("raw", Buffer.from(text)), name, size: text.length });
const listed = (files: FileInfo[]): SourceValue => {
  const { data } = encodeValue(files);
  return { data, files: files.length, bytes: 3, version: contentIdOf("messagepack", data) };
};

const one = file("iris.csv", "abc");
const cats = [file("1.png", "x"), file("cats/2.png", "y")];
const single: SourceValue = {
  data: encodeValue(one).data,
  files: 1,
  bytes: 3,
  version: one.id as SourceValue["version"],
};
const sources = {
  "file:data/iris.csv": single,
  "file:images/": listed(cats),
  "file:*.md": listed([file("README.md", "r")]),
};

async function place(): Promise<{ records: Records; run: RunRef }> {
  const engine = engineFixture({ look: () => ({ n: 1 }) });
  const names = Object.keys(sources);
  const { run } = await engine.run(
    {
      steps: [
        {
          name: "look",
          inputs: Object.fromEntries(names.map((spec, i) => [`x${i}`, { k: "source", spec }])),
        },
      ],
    },
    { sources },
  );
  return { records: new Records(localReadSide(engine.store)), run };
}

test("a run's sources are versions: one with the content of a file, one for a list", async () => {
  const { records, run } = await place();
  const { rows } = await records.side.versions({ prefix: run.flow, what: ["source"] });
  assert.deepEqual(
    rows.map(({ artifact, id, kind, bytes, by, user }) => [artifact, id, kind, bytes, by, user]),
    [
      ["test/source:*.md", sources["file:*.md"].version, "files[1]", 3, "local", "ada"],
      ["test/source:data/iris.csv", one.id, "file", 3, "local", "ada"],
      ["test/source:images/", sources["file:images/"].version, "files[2]", 3, "local", "ada"],
    ],
  );
});

test("a source is found by its name in a run, in any spelling, and so is a file of a list", async () => {
  const { records, run } = await place();
  const load = (name: string): Promise<unknown> =>
    loadSource(records, `${runText(run)}/source:${name}`);
  assert.deepEqual(await loadSource(records, "test/latest/source:data/iris.csv"), one);
  assert.deepEqual(await load("./data//iris.csv"), one);
  assert.deepEqual(await load("file:data/iris.csv"), one);
  assert.deepEqual(await load("images/"), cats);
  assert.deepEqual(await load("images/cats/2.png"), cats[1]);
  assert.deepEqual(((await load("README.md")) as FileInfo).name, "README.md");
  for (const name of ["images", "images/3.png", "iris.csv", "", "../x"])
    await assert.rejects(load(name), (error) => isMfError(error, "PATHSPEC_NOT_FOUND"), name);
  await assert.rejects(loadSource(records, "nothing/latest/source:a"), (error) =>
    isMfError(error, "RUN_NOT_FOUND"),
  );
});

test("names of sources stand behind a colon", () => {
  assert.equal(sourceName("file:images/*.png"), "source:images/*.png");
  assert.deepEqual(splitSource("f/latest/source:a/b:c"), { run: "f/latest", name: "a/b:c" });
  assert.equal(splitSource("f/latest/load/csv"), undefined);
});
