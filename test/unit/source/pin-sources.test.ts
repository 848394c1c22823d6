import assert from "node:assert/strict";
import { once } from "node:events";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { cidOf } from "../../../src/artifact/cid.ts";
import { decodeValue } from "../../../src/artifact/codec.ts";
import type { FileInfo } from "../../../src/artifact/file-brand.ts";
import { definitionOf } from "../../../src/flow/flow-definition.ts";
import { flow } from "../../../src/flow/flow.ts";
import type { FlowGraph } from "../../../src/graph/flow-graph.ts";
import { isMfError, MfError } from "../../../src/model/errors.ts";
import type { Cid } from "../../../src/model/ids.ts";
import {
  pinSources,
  type PinnedSources,
  type PinOptions,
} from "../../../src/source/pin-sources.ts";
import { defined } from "../../../src/std/assert.ts";

const root = mkdtempSync(join(tmpdir(), "mf-sources-"));
after(() => rmSync(root, { recursive: true, force: true }));
let places = 0;

/** A directory with these files, and a store that counts what it reads. */
class Place {
  readonly folder = join(root, String(places++));
  readonly puts: string[] = [];
  readonly held = new Set<Cid>();
  /** Happens while a file is stored. */
  during: (path: string) => void = () => undefined;

  constructor(files: Readonly<Record<string, string>>) {
    mkdirSync(this.folder);
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  write(name: string, text: string): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  pin(spec: `file:${string}`, more: Partial<PinOptions> = {}): Promise<PinnedSources> {
    return pinSources(graphOf(spec), {
      flowFile: join(this.folder, "flow.ts"),
      now: () => Number.MAX_SAFE_INTEGER,
      store: {
        putFile: async (path) => {
          this.puts.push(path);
          const data = readFileSync(path);
          this.during(path);
          const id = cidOf("raw", data);
          this.held.add(id);
          return { id, bytes: data.length };
        },
        has: async (ids) => ids.map((id) => this.held.has(id)),
      },
      ...more,
    });
  }

  async names(spec: `file:${string}`): Promise<string[]> {
    return filesOf(await this.pin(spec)).map(({ name }) => name);
  }

  async refusal(spec: `file:${string}`): Promise<string> {
    const error = await this.pin(spec).then(
      () => assert.fail(`${spec} was read`),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof MfError, String(error));
    assert.equal(error.code, "SOURCE_INVALID");
    assert.ok(String(error.details["hint"]).length > 0);
    return String(error.details["reason"]).replaceAll(this.folder, "");
  }
}

function graphOf(spec: `file:${string}`): FlowGraph {
  const f = flow("f");
  f.step("read", { x: f.source(spec) }, () => ({ n: 1 }));
  return defined(definitionOf(f)).graph({ encode: () => new Uint8Array() });
}

function filesOf({ values }: PinnedSources): FileInfo[] {
  const [value] = Object.values(values);
  const decoded = decodeValue(defined(value).data);
  return Array.isArray(decoded) ? (decoded as FileInfo[]) : [decoded as FileInfo];
}

const idOf = (text: string): Cid => cidOf("raw", Buffer.from(text));

test("one file is a reference to its content, with its content's version", async () => {
  const place = new Place({ "data/iris.csv": "a,b\n" });
  const pinned = await place.pin("file:./data/iris.csv");
  const { "file:data/iris.csv": value } = pinned.values;
  assert.deepEqual(
    [value?.version, value?.files, value?.bytes, pinned.contents],
    [idOf("a,b\n"), 1, 4, [idOf("a,b\n")]],
  );
  assert.deepEqual({ ...filesOf(pinned)[0] }, { id: idOf("a,b\n"), name: "iris.csv", size: 4 });
  assert.equal((await place.pin(`file:${place.folder}/data/iris.csv`)).contents.length, 1);
});

test("a directory is everything in it, a glob what matches, in the order of names", async () => {
  const place = new Place({
    "d/b.csv": "b",
    "d/B.csv": "B",
    "d/a/z.csv": "z",
    "d/a-b.csv": "-",
    "d/.hidden": "h",
    "d/é.txt": "e",
  });
  const all = [".hidden", "B.csv", "a-b.csv", "a/z.csv", "b.csv", "é.txt"];
  assert.deepEqual(await place.names("file:d/"), all);
  assert.deepEqual(await place.names("file:d/*.csv"), ["B.csv", "a-b.csv", "b.csv"]);
  assert.deepEqual(await place.names("file:d/**/*.csv"), ["B.csv", "a-b.csv", "a/z.csv", "b.csv"]);
  assert.deepEqual(await place.names("file:**/z.{csv,tsv}"), ["d/a/z.csv"]);
});

test("a version is names and contents: no time, no place", async () => {
  const one = new Place({ "d/a": "1", "d/b": "2" });
  const two = new Place({ "d/b": "2", "d/a": "1" });
  utimesSync(join(two.folder, "d/a"), 1, 1);
  const version = async (place: Place): Promise<Cid> =>
    defined((await place.pin("file:d/")).values["file:d/"]).version;
  const first = await version(one);
  assert.equal(await version(two), first);
  two.write("d/a", "x");
  assert.notEqual(await version(two), first);
  two.write("d/a", "1");
  two.write("d/c", "");
  assert.notEqual(await version(two), first);
});

test("links lead to what they mean; rings, links to nothing and other things are refused", async () => {
  const place = new Place({ "real/a.csv": "a", "d/b.csv": "b" });
  symlinkSync("../real", join(place.folder, "d/linked"));
  symlinkSync("../real/a.csv", join(place.folder, "d/a.csv"));
  assert.deepEqual(await place.names("file:d/"), ["a.csv", "b.csv", "linked/a.csv"]);
  assert.deepEqual(await place.names("file:d/a.csv"), ["a.csv"]);
  symlinkSync("..", join(place.folder, "d/ring"));
  assert.match(await place.refusal("file:d/"), /link to a directory around it/);
  const lost = new Place({ "d/a": "a" });
  symlinkSync("nowhere", join(lost.folder, "d/lost"));
  assert.match(await lost.refusal("file:d/"), /\/d\/lost is a link to nothing/);
  assert.deepEqual(await lost.names("file:d/a"), ["a"]);
  const other = new Place({ "d/a": "a" });
  const server = createServer().listen(join(other.folder, "d/socket"));
  await once(server, "listening");
  assert.match(await other.refusal("file:d/"), /\/d\/socket is neither a file nor a directory/);
  assert.match(await other.refusal("file:d/socket"), /neither/);
  server.close();
});

test("what is not there is told before anything is stored", async () => {
  const place = new Place({ "a.csv": "a", "d/e/f": "f" });
  mkdirSync(join(place.folder, "empty"));
  assert.match(await place.refusal("file:b.csv"), /\/b\.csv is not there/);
  assert.match(await place.refusal("file:a.csv/b"), /is not there/);
  assert.match(await place.refusal("file:d"), /\/d is a directory/);
  assert.match(await place.refusal("file:a.csv/"), /is not there|is no directory/);
  assert.match(await place.refusal("file:empty/"), /no file in \/empty/);
  assert.match(await place.refusal("file:*.tsv"), /no file below .* matches/);
  assert.match(await place.refusal("file:{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"), /braces/);
  assert.deepEqual(place.puts, []);
});

test("a file that may not be read is told", async () => {
  const place = new Place({ "a.csv": "a" });
  place.during = () => {
    throw Object.assign(new Error("denied"), { code: "EACCES" });
  };
  assert.match(await place.refusal("file:a.csv"), /may not be read/);
});

test("a file that changes while it is read is told, and so is one that goes", async () => {
  const place = new Place({ "a.csv": "a" });
  place.during = (path) => appendFileSync(path, "b");
  await assert.rejects(place.pin("file:a.csv"), (error) => isMfError(error, "SOURCE_CHANGED"));
  place.during = (path) => rmSync(path);
  assert.match(await place.refusal("file:a.csv"), /gone/);
});

test("a file that has not changed is not read again, one that may have is", async () => {
  const place = new Place({ "big.bin": "x".repeat(2 ** 20), "small.csv": "a" });
  const big = join(place.folder, "big.bin");
  const cacheFile = join(place.folder, "cache.json");
  const pin = (more: Partial<PinOptions> = {}): Promise<PinnedSources> =>
    place.pin("file:*.{bin,csv}", { cacheFile, ...more });
  // Written just now: it may change again within its time stamp, so it is not remembered.
  await pin({ now: () => 0 });
  await pin();
  assert.equal(place.puts.filter((path) => path === big).length, 2);
  const first = await pin();
  assert.equal(place.puts.filter((path) => path === big).length, 2);
  assert.equal(place.puts.length, 4);
  // The same time and size, other bytes: the inode's own time tells.
  place.write("big.bin", "y".repeat(2 ** 20));
  utimesSync(big, 1, 1);
  assert.notDeepEqual(await pin(), first);
  // The store has lost it.
  place.held.clear();
  await pin();
  assert.equal(place.puts.filter((path) => path === big).length, 4);
  for (const damage of [
    "",
    "{",
    '{"v":1,"files":[1,[2],["a",[3,4]],["a",["b","../x"]]]}',
    "null",
  ]) {
    writeFileSync(cacheFile, damage, { mode: 0o600 });
    await pin();
  }
});

test("a Ctrl-C ends it between two files", async () => {
  const place = new Place(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i}`, "a"])));
  const stop = new AbortController();
  place.during = () => stop.abort();
  await assert.rejects(place.pin("file:*", { signal: stop.signal }), (error) =>
    isMfError(error, "INTERRUPTED"),
  );
  assert.ok(place.puts.length < 50);
});
