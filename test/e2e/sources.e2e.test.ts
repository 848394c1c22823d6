/** Files outside as inputs, and what comes out again as files: real commands, then two daemons. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { MeshPlace } from "../support/mesh-place.ts";
import { errorOf, MfPlace } from "../support/mf-process.ts";

interface RunJson {
  readonly state: string;
  readonly tasks: { readonly executed: number; readonly reused: number };
}

const WORDS = `
const f = flow("words");
const count = f.step("count", { text: each(f.source("file:data/*.txt")) }, async ({ text }) => ({
  name: text.name,
  words: (await text.text()).split(/\\s+/).filter(Boolean).length,
  copy: text,
}));
f.step("total", { names: collect(count.name), words: collect(count.words) }, ({ names, words }) => ({
  table: names.map((name, i) => ({ name, words: words[i] ?? 0 })),
  grid: [[1, 2], [3, 4]],
  array: new Float64Array([1, 2]),
}));
f.step("all", { tree: f.source("file:data/"), one: f.source("file:data/a.txt") }, async ({ tree, one }) => ({
  names: tree.map((file) => file.name),
  path: (await tree[2].path()).split("/").slice(-2).join("/"),
  tree,
  one: await one.text(),
}));
export default f;`;

describe("sources and get", () => {
  const place = new MfPlace();
  after(() => place.dispose());
  const run = async (file: string): Promise<RunJson["tasks"]> => {
    const { state, tasks } = (await place.json(["run", file, "--json"])) as RunJson;
    assert.equal(state, "succeeded");
    return tasks;
  };
  const out = (name: string): string => join(place.root, name);
  let file = "";

  test("steps read files, directories and globs; a change runs just their readers again", async () => {
    place.write("data/a.txt", "one two");
    place.write("data/b.txt", "three four five");
    place.write("data/sub/c.bin", "x");
    file = place.flow("words.ts", WORDS);
    assert.equal((await run(file)).executed, 4);
    assert.deepEqual(await place.json(["get", "words/latest/all/names"]), [
      "a.txt",
      "b.txt",
      "sub/c.bin",
    ]);
    assert.equal(await place.json(["get", "words/latest/all/path"]), "sub/c.bin");
    utimesSync(join(place.flows, "data/a.txt"), 1, 1);
    assert.equal((await run(file)).executed, 0);
    place.write("data/sub/c.bin", "y");
    assert.equal((await run(file)).executed, 1);
    place.write("data/b.txt", "three four five six");
    const { executed, reused } = await run(file);
    assert.deepEqual([executed, reused], [3, 1]);
    const { out: drawn } = await place.mf(["show", file]);
    assert.match(drawn, /▤ source +file:data\/\*\.txt/);
  });

  test("a source that is not there is told before anything runs", async () => {
    const lost = place.flow(
      "lost.ts",
      `const f = flow("lost"); f.step("a", { x: f.source("file:nowhere.csv") }, () => ({ n: 1 })); export default f;`,
    );
    const outcome = await place.mf(["run", lost, "--json"]);
    assert.deepEqual([outcome.code, errorOf(outcome).code], [2, "SOURCE_INVALID"]);
    assert.match(errorOf(outcome).message, /nowhere\.csv is not there \(named at lost\.ts:2\)/);
    const checked = await place.mf(["check", lost, "--json"]);
    assert.deepEqual([checked.code, errorOf(checked)], [2, errorOf(outcome)]);
    assert.equal((await place.mf(["status", "lost/latest"])).code, 3);
  });

  test("what a run read is got again, as files", async () => {
    rmSync(join(place.flows, "data"), { recursive: true });
    const one = await place.mf(["get", "words/latest/source:data/a.txt", "--as", "file"]);
    assert.equal(one.out, "one two");
    assert.equal(
      (await place.mf(["get", "words/latest/source:data/a.txt", "-o", "-"])).out,
      one.out,
    );
    const tree = await place.json([
      "get",
      "words/latest/source:data/",
      "-o",
      out("tree"),
      "--json",
    ]);
    assert.deepEqual((tree as { files: string[] }).files, ["a.txt", "b.txt", "sub/c.bin"]);
    assert.equal(readFileSync(out("tree/sub/c.bin"), "utf8"), "y");
    const none = await place.mf(["get", "words/latest/source:other", "--json"]);
    assert.deepEqual([none.code, errorOf(none).code], [3, "PATHSPEC_NOT_FOUND"]);
  });

  test("artifacts are written as tables, arrays and directories", async () => {
    const csv = await place.mf(["get", "words/latest/total/table", "--as", "csv"]);
    assert.equal(csv.out, "name,words\na.txt,2\nb.txt,4\n");
    const many = await place.mf(["get", "words/latest/count/words", "--as", "csv"]);
    assert.equal(many.out, "index,words\n0,2\n1,4\n");
    assert.equal((await place.mf(["get", "words/latest/total/grid", "-o", out("g.npy")])).code, 0);
    assert.match(readFileSync(out("g.npy"), "latin1"), /'shape': \(2, 2\)/);
    assert.equal((await place.mf(["get", "words/latest/total", "-o", out("total/")])).code, 0);
    assert.deepEqual(readdirSync(out("total")).sort(), ["array.npy", "grid.json", "table.csv"]);
    assert.equal((await place.mf(["get", "words/latest/count", "-o", out("count/")])).code, 0);
    assert.deepEqual(readdirSync(out("count/1")).sort(), ["b.txt", "name.json", "words.json"]);
    const wrong = await place.mf(["get", "words/latest/all/one", "--as", "csv", "--json"]);
    assert.deepEqual([wrong.code, errorOf(wrong).code], [2, "FORMAT_UNSUPPORTED"]);
  });

  test("nothing that exists is replaced, nothing is left half, nothing leaves the directory", async () => {
    writeFileSync(out("mine.csv"), "mine");
    const get = (...argv: string[]) => place.mf(["get", "words/latest/total/table", ...argv]);
    assert.equal((await get("-o", out("mine.csv"))).code, 2);
    assert.equal(readFileSync(out("mine.csv"), "utf8"), "mine");
    assert.equal((await get("-o", out("mine.csv"), "--force")).code, 0);
    assert.match(readFileSync(out("mine.csv"), "utf8"), /^name,words/);
    // A link where a directory would be made.
    mkdirSync(out("elsewhere"));
    mkdirSync(out("linked"));
    symlinkSync(out("elsewhere"), out("linked/sub"));
    const source = "words/latest/source:data/";
    assert.equal((await place.mf(["get", source, "-o", out("linked"), "--force"])).code, 2);
    assert.deepEqual(readdirSync(out("elsewhere")), []);
    assert.deepEqual(readdirSync(out("linked")), ["sub"]);
    assert.equal((await get("-o", out("none/x.csv"))).code, 2);
    const left = readdirSync(place.root).filter((name) => name.endsWith(".part"));
    assert.deepEqual(left, []);
    assert.ok(!existsSync(out("none")));
  });

  test("from() reads one task of a foreach and a part of an artifact, and says what is wrong", async () => {
    const reader = (pathspec: string): string =>
      place.write(
        "reader.ts",
        `import { flow, from } from "meshflow"; const f = flow("reader");
        f.step("read", { x: from("${pathspec}") }, ({ x }) => ({ x })); export default f;`,
      );
    await run(reader("words/latest/count[1].words"));
    assert.equal(await place.json(["get", "reader/latest/read/x"]), 4);
    await run(reader("words/latest/total.table.1.name"));
    assert.equal(await place.json(["get", "reader/latest/read/x"]), "b.txt");
    const wrong: readonly (readonly [pathspec: string, told: RegExp])[] = [
      ["words/latest/count.words", /2 tasks of a foreach.*\n?/],
      ["words/latest/count[7].words", /no finished task of that name/],
      ["words/latest/total.tables", /no artifact tables/],
      ["words/latest/total.table.1.size", /table\.1 has no property size/],
      ["nothing/latest/a.b", /no such run of nothing/],
    ];
    for (const [pathspec, told] of wrong) {
      const outcome = await place.mf(["run", reader(pathspec), "--json"]);
      assert.equal(outcome.code, 3, outcome.err);
      assert.match(errorOf(outcome).message, told);
      assert.ok(errorOf(outcome).remedy.length > 0);
    }
  });
});

describe("sources in a mesh", () => {
  let mesh: MeshPlace | undefined;
  after(() => mesh?.dispose());

  test("files of the submitter reach every peer; from() finds runs of others", async () => {
    mesh = await MeshPlace.of(2);
    const [a, b] = [mesh.peer(0), mesh.peer(1)];
    mkdirSync(join(mesh.root, "flows", "data"), { recursive: true });
    const texts = Array.from({ length: 8 }, (_, i) => `${i} `.repeat(5000 * (i + 1)));
    for (const [i, text] of texts.entries()) mesh.write(`data/${i}.txt`, text);
    const file = mesh.flow("words.ts", WORDS.replaceAll("a.txt", "0.txt"));
    const submitted = await a.json<RunJson>(["submit", file, "--json"]);
    assert.deepEqual([submitted.state, submitted.tasks.executed], ["succeeded", 10]);
    rmSync(join(mesh.root, "flows", "data"), { recursive: true });
    const target = join(mesh.root, "tree");
    await b.json(["get", "words/latest/source:data/", "-o", target, "--json"]);
    assert.deepEqual(
      readdirSync(target).map((name) => readFileSync(join(target, name), "utf8")),
      texts,
    );
    const reader = mesh.write(
      "reader.ts",
      `import { flow, from } from "meshflow"; const f = flow("reader");
      f.step("read", { x: from("words/latest/count[3].words") }, ({ x }) => ({ x })); export default f;`,
    );
    await b.json(["submit", reader, "--json"]);
    assert.equal(await b.json(["get", "reader/latest/read/x"]), 20_000);
  });
});
