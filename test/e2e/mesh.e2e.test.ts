/** The main job of the mesh: join, submit from anywhere, work on every peer, fetch from a peer that never ran it. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventuallyAsync, MeshPlace } from "../support/mesh-place.ts";
import { errorOf } from "../support/mf-process.ts";

interface RunJson {
  readonly run: string;
  readonly state: string;
  readonly tasks: { readonly total: number; readonly executed: number; readonly reused: number };
}
interface StatusJson {
  readonly state: string;
  readonly owner: string;
  readonly steps: readonly {
    readonly name: string;
    readonly tasks: { readonly succeeded: number };
    readonly peers: Readonly<Record<string, number>>;
  }[];
}

/** Squares with a little work in each, so that one peer cannot do all before the others hear of it. */
const SQUARES = `
const squares = flow("squares", { count: p.number(120) });
const list = squares.step("list", squares.params, ({ count }) => ({ numbers: Array.from({ length: count }, (_, i) => i) }));
const square = squares.step("square", { n: each(list.numbers) }, async ({ n }) => {
  const until = Date.now() + 40;
  while (Date.now() < until) Math.sqrt(n);
  console.log("square of", n);
  return { value: n * n, block: new Float64Array(40_000).fill(n) };
});
squares.step("sum", { all: collect(square) }, ({ all }) => ({ total: all.reduce((sum, item) => sum + item.value, 0) }));
export default squares;`;

describe("a mesh of three daemons", () => {
  let place: MeshPlace;
  let file = "";
  let run = "";
  before(async () => {
    place = await MeshPlace.of(3);
    file = place.flow("squares.ts", SQUARES);
  });
  after(() => place.dispose());

  test("every peer lists all three, itself first", async () => {
    for (const peer of place.peers) {
      const rows = await peer.peers();
      assert.deepEqual([rows[0]?.name, rows[0]?.self], [peer.name, true]);
      assert.deepEqual(rows.map((row) => row.name).sort(), ["a", "b", "c"]);
    }
  });

  test("a run submitted at one peer is worked on by all", async () => {
    const ended = await place.peer(1).json<RunJson>(["submit", file, "--json"]);
    ({ run } = ended);
    assert.deepEqual([ended.state, ended.tasks.total], ["succeeded", 122]);
    const status = await place.peer(2).json<StatusJson>(["status", run, "--json"]);
    const square = status.steps.find((step) => step.name === "square");
    assert.equal(square?.tasks.succeeded, 120);
    assert.deepEqual(Object.keys(square.peers).sort(), ["a", "b", "c"]);
    assert.equal(status.owner, "b");
  });

  test("a peer that never ran a step fetches its artifact, and both then hold it", async () => {
    const total = (119 * 120 * 239) / 6;
    for (const peer of place.peers)
      assert.equal(await peer.json(["get", `${run}/sum/total`]), total);
    const block = await place
      .peer(2)
      .json<Record<string, number>>(["get", `${run}/square[7]/block`]);
    assert.equal(block[39_999], 7);
    const versions = await place
      .peer(0)
      .json<{ artifact: string; peers: string[] }[]>(["ls-versions", "squares/square", "--json"]);
    const version = versions.find((row) => row.artifact === "squares/square[7]/block");
    assert.ok((version?.peers.length ?? 0) >= 2, JSON.stringify(version));
  });

  test("logs of all peers come together at any of them", async () => {
    const { out } = await place.peer(0).mf(["logs", `${run}/square`]);
    assert.equal(out.split("\n").filter((line) => line.includes("square of")).length, 120);
  });

  test("the same flow again executes nothing, whoever submits it", async () => {
    const again = await place.peer(1).json<RunJson>(["submit", file, "--json"]);
    assert.deepEqual([again.tasks.executed, again.tasks.reused], [0, 122]);
  });

  test("--detach answers at once; any peer can watch and cancel", async () => {
    const slow = place.flow(
      "slow.ts",
      `const slow = flow("slow");
const list = slow.step("list", {}, () => ({ n: [1, 2, 3, 4, 5, 6, 7, 8] }));
slow.step("wait", { n: each(list.n) }, async (_inputs, ctx) => { await new Promise((resolve) => { const t = setTimeout(resolve, 60_000); ctx.signal.addEventListener("abort", () => { clearTimeout(t); resolve(undefined); }); }); return { ok: true }; });
export default slow;`,
    );
    const { run: started } = await place
      .peer(0)
      .json<RunJson>(["submit", slow, "--detach", "--json"]);
    await eventuallyAsync("the run is seen at another peer", async () => {
      const { code, out } = await place.peer(2).mf(["status", started, "--json"]);
      return code === 0 && (JSON.parse(out) as StatusJson).state === "running" ? true : undefined;
    });
    assert.equal((await place.peer(2).mf(["cancel", started])).code, 0);
    const watched = await place.peer(1).mf(["watch", started, "--json"]);
    assert.match(watched.out, /"state":\s*"cancelled"/);
    assert.equal(watched.code, 130);
  });

  test("what no peer has is refused with exit 4, and a label that no peer has too", async () => {
    const big = place.flow(
      "big.ts",
      `const big = flow("big");\nbig.step("one", {}, { resources: { cpu: 512 } }, () => ({ ok: 1 }));\nexport default big;`,
    );
    const outcome = await place.peer(0).mf(["submit", big, "--json"]);
    assert.deepEqual([outcome.code, errorOf(outcome).code], [4, "RESOURCES_UNMET"]);
    const labelled = await place.peer(0).mf(["submit", file, "--on", "moon", "--json"]);
    assert.equal(labelled.code, 4);
  });

  test("a failing step fails the run with the user's error, at the peer that submitted", async () => {
    const bad = place.flow(
      "bad.ts",
      `const bad = flow("bad");\nbad.step("boom", {}, () => { throw new Error("the reason"); });\nexport default bad;`,
    );
    const outcome = await place.peer(2).mf(["submit", bad]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.err, /the reason/);
    assert.match(outcome.err, /bad\.ts:3/);
  });

  test("mf run asks the daemon that holds the store", async () => {
    const ended = await place.peer(2).json<RunJson>(["run", file, "--json", "-p", "count=10"]);
    assert.deepEqual([ended.state, ended.tasks.total], ["succeeded", 12]);
  });

  test("a second daemon on one home is refused", async () => {
    const outcome = await place.peer(0).mfd(["start", "--foreground", "--json"]);
    assert.notEqual(outcome.code, 0);
    assert.match(outcome.err, /already|in use/i);
  });
});
