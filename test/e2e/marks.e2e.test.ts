/** Tags, notes, pins and addresses as people type them: alone, beside a run, and in a mesh whose peers come and go. */
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventuallyAsync, MeshPlace, type MeshPeer } from "../support/mesh-place.ts";
import { errorOf, eventually, MfPlace, outcomeOf } from "../support/mf-process.ts";

interface RunRowJson {
  readonly run: string;
  readonly user: string;
  readonly mine: boolean;
  readonly tags: readonly string[];
  readonly systemTags: readonly string[];
  readonly note: string | null;
  readonly pinned: boolean;
  readonly project?: string;
  readonly branch?: string;
}

const MADE = `const made = flow("made", { n: p.number(1) });
made.step("load", made.params, ({ n }) => ({ x: n }));
export default made;`;
const READER = `import { from } from "meshflow";
const reader = flow("reader", {}, { project: "plants" });
reader.step("read", { x: from("made/@best/load.x") }, ({ x }) => ({ twice: Number(x) * 2 }));
export default reader;`;

describe("one machine", () => {
  const place = new MfPlace();
  const ada = { MF_USER: "ada" };
  const bob = { MF_USER: "bob" };
  let made = "";
  const rows = async (...argv: string[]): Promise<RunRowJson[]> =>
    (await place.json(["ls", "--json", ...argv], ada)) as RunRowJson[];
  const idOf = async (argv: readonly string[], env: NodeJS.ProcessEnv): Promise<string> => {
    const { run } = (await place.json(["run", "--no-check", "--json", ...argv], env)) as {
      run: string;
    };
    return run;
  };
  let first = "";
  let second = "";
  before(async () => {
    made = place.flow("made.ts", MADE);
    first = await idOf([made, "-t", "best", "--tag", "v1", "--project", "plants"], ada);
    second = await idOf([made, "-p", "n=2"], bob);
  });
  after(() => place.dispose());

  test("lists show one's own first, narrow by all that is known, and have documented fields", async () => {
    assert.deepEqual(
      (await rows()).map(({ run }) => run),
      [first, second],
    );
    assert.deepEqual(
      (await rows("--all")).map(({ run, mine }) => [run, mine]),
      [
        [second, false],
        [first, true],
      ],
    );
    const only = async (...argv: string[]): Promise<string> =>
      (await rows(...argv)).map(({ run }) => run).join();
    assert.equal(await only("--mine"), first);
    assert.equal(await only("--user", "bob"), second);
    assert.equal(await only("--tag", "best", "--tag", "user:ada"), first);
    assert.equal(await only("--project", "plants", "--branch", "user.ada"), first);
    assert.equal(await only("--until", "2020-01-01"), "");
    assert.equal(await only("--since", "1d", "-n", "1"), first);
    const [row] = await rows("--mine");
    assert.deepEqual(row?.tags, ["best", "v1"]);
    assert.equal(row.note, null);
    assert.equal(row.pinned, false);
    assert.ok(row.systemTags.includes("project:plants") && row.systemTags.includes("user:ada"));
    assert.ok(row.systemTags.some((tag) => /^version:\d/.test(tag)));
  });

  test("tags are given, taken off and used as addresses; a refused change changes nothing", async () => {
    assert.equal((await place.mf(["tag", "made/@best", "good"], bob)).code, 0);
    const refused = await place.mf(
      ["tag", first, "new", "user:ada", "state:failed", "--json"],
      ada,
    );
    assert.equal(refused.code, 2);
    assert.equal(errorOf(refused).code, "TAG_RESERVED");
    const removed = await place.mf(["tag", first, "good", "user:ada", "--remove", "--json"], ada);
    assert.equal(errorOf(removed).code, "TAG_RESERVED");
    assert.deepEqual(await place.json(["tag", first, "--json"], ada), {
      run: first,
      tags: ["best", "good", "v1"],
      systemTags: (await rows("--mine"))[0]?.systemTags,
    });
    assert.equal((await place.mf(["tag", first, "v2", "--replace", "v1"], ada)).code, 0);
    assert.deepEqual((await rows("--mine"))[0]?.tags, ["best", "good", "v2"]);
    assert.equal((await place.mf(["get", "made/@v2/load/x"])).out.trim(), "1");
    const gone = await place.mf(["get", "made/@v1/load/x", "--json"]);
    assert.equal(gone.code, 3);
    assert.equal(errorOf(gone).code, "TAG_NOT_FOUND");
    // The newest that succeeded.
    assert.equal((await place.mf(["get", "made/9999-01-01/load/x"])).out.trim(), "2");
    assert.equal((await place.mf(["status", "made/@user:ada", "--json"])).code, 0);
  });

  test("a flow reads a tagged run, and its project is the flow's own", async () => {
    const run = await idOf([place.flow("reader.ts", READER)], ada);
    assert.equal((await place.mf(["get", `${run}/read/twice`])).out.trim(), "2");
    const [row] = await rows("reader");
    assert.deepEqual([row?.project, row?.branch], ["plants", "user.ada"]);
  });

  test("notes and pins are written, read and taken off", async () => {
    await place.mf(["note", first, "the", "paper's rate"], ada);
    assert.equal((await place.mf(["note", "made/@best"])).out, "the paper's rate\n");
    assert.equal((await place.mf(["pin", first], ada)).code, 0);
    assert.equal((await place.mf(["pin", `${second}/load/x`], ada)).code, 0);
    const pins = (await place.json(["pin", "--json"])) as { on: string; as: string; by: string }[];
    assert.deepEqual(pins.map(({ as, by }) => `${as} ${by}`).sort(), [
      " ada",
      `${second}/load/x ada`,
    ]);
    assert.deepEqual(
      (await rows("made", "--mine")).map(({ note, pinned }) => [note, pinned]),
      [["the paper's rate", true]],
    );
    await place.mf(["note", first, "--remove"], ada);
    await place.mf(["pin", first, "--remove"], ada);
    const [row] = await rows("made", "--mine");
    assert.deepEqual([row?.note, row?.pinned], [null, false]);
  });

  test("beside a run that holds the store, its process writes the mark", async () => {
    const flag = join(place.root, "go on");
    const file = place.flow(
      "waits.ts",
      `import { existsSync } from "node:fs";
const waits = flow("waits", { flag: p.string("") });
waits.step("wait", waits.params, async ({ flag }) => {
  while (!existsSync(flag)) await new Promise((resolve) => setTimeout(resolve, 20));
  return { done: true };
});
export default waits;`,
    );
    const child = place.start(["run", file, "--no-check", "-p", `flag=${flag}`], ada);
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ended = outcomeOf(child);
    try {
      const run = await eventually("the run's id", () => /^run (\S+)$/m.exec(said)?.[1]);
      assert.equal((await place.mf(["tag", run, "early"], bob)).code, 0);
      assert.equal(child.exitCode, null);
    } finally {
      writeFileSync(flag, "");
    }
    assert.equal((await ended).code, 0);
    assert.ok(existsSync(flag));
    const [row] = await rows("--tag", "early");
    assert.match(row?.run ?? "", /^waits\//);
  });

  test("who the user is and what is wrong with labels is told before anything runs", async () => {
    for (const argv of [
      ["run", made, "--branch", "b"],
      ["run", made, "--project", "p", "--branch", "b", "--production"],
      ["run", made, "--tag", "state:failed"],
      ["ls", "--since", "yesterday"],
      ["ls", "--mine", "--all"],
      ["tag", "made", "best"],
      ["pin", "made"],
    ])
      assert.equal((await place.mf(argv, ada)).code, 2, argv.join(" "));
    assert.equal((await place.mf(["run", made], { MF_USER: "a b" })).code, 2);
  });
});

describe("a mesh", () => {
  let place: MeshPlace;
  let a: MeshPeer;
  let b: MeshPeer;
  let before1 = "";
  const tagsAt = async (peer: MeshPeer, run: string): Promise<string> =>
    (await peer.json<{ tags: readonly string[] }>(["tag", run, "--json"])).tags.join(" ");
  const settled = (peer: MeshPeer, run: string, tags: string): Promise<true> =>
    eventuallyAsync(`${peer.name} has "${tags}"`, async () =>
      (await tagsAt(peer, run)) === tags ? true : undefined,
    );
  before(async () => {
    place = await MeshPlace.of(1);
    a = place.peer(0);
    // A home with a history: what was said before there was a mesh.
    await a.mfd(["stop"]);
    const { run } = await a.json<{ run: string }>([
      "run",
      place.flow("made.ts", MADE),
      "--no-check",
      "--json",
      "-t",
      "best",
    ]);
    before1 = run;
    await a.start();
    b = await place.add("b");
    await place.settled();
  });
  after(() => place.dispose());

  test("what was said alone is known to all, and what one says the others know", async () => {
    await settled(b, before1, "best");
    assert.equal((await b.mf(["tag", before1, "fine"])).code, 0);
    await settled(a, before1, "best fine");
    assert.equal((await b.mf(["note", before1, "from b"])).code, 0);
    await eventuallyAsync("a has the note", async () =>
      (await a.mf(["note", before1])).out === "from b\n" ? true : undefined,
    );
    assert.equal((await b.mf(["get", "made/@fine/load/x"])).out.trim(), "1");
  });

  test("a flow submitted elsewhere reads the tagged run; its own tag and project come with it", async () => {
    const { code, err } = await b.mf([
      "submit",
      place.flow("reader.ts", READER),
      "-t",
      "made-at-b",
    ]);
    assert.equal(code, 0, err);
    await eventuallyAsync("a finds it by its tag", async () =>
      (await a.mf(["get", "reader/@made-at-b/read/twice"])).out.trim() === "2" ? true : undefined,
    );
    const [row] = await a.json<RunRowJson[]>(["ls", "--tag", "made-at-b", "--json"]);
    assert.equal(row?.project, "plants");
    assert.ok(row.systemTags.some((tag) => tag.startsWith("version:")));
  });

  test("what was taken off while a peer was away does not come back with it", async () => {
    await a.kill();
    assert.equal((await b.mf(["tag", before1, "fine", "--remove"])).code, 3);
    // Nobody who knows the run answers; the reader's run is known to both.
    const [row] = await b.json<RunRowJson[]>(["ls", "reader", "--json"]);
    const run = row?.run ?? "";
    assert.equal((await b.mf(["tag", run, "made-at-b", "--remove"])).code, 0);
    assert.equal((await b.mf(["tag", run, "alone"])).code, 0);
    await a.start();
    await settled(a, run, "alone");
    assert.equal(await tagsAt(b, run), "alone");
  });
});
