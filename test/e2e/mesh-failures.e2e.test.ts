/** Machines go away in the middle of a run: the answer stays right, and what was finished is not lost. */
import assert from "node:assert/strict";
import { after, afterEach, describe, test } from "node:test";
import { eventuallyAsync, MeshPlace, type MeshPeer } from "../support/mesh-place.ts";
import { outcomeOf } from "../support/mf-process.ts";

interface RunJson {
  readonly run: string;
  readonly state: string;
  readonly tasks: { readonly total: number; readonly succeeded: number };
}
interface StatusJson {
  readonly state: string;
  readonly owner: string;
  readonly steps: readonly {
    readonly name: string;
    readonly tasks: { readonly succeeded: number };
  }[];
  readonly attempts: { readonly total: number; readonly lost: number };
}

const COUNT = 200;
const TOTAL = (COUNT * (COUNT - 1)) / 2;
const SWEEP = `
const sweep = flow("sweep");
const list = sweep.step("list", {}, () => ({ numbers: Array.from({ length: ${COUNT} }, (_, i) => i) }));
const work = sweep.step("work", { n: each(list.numbers) }, async ({ n }) => {
  await new Promise((resolve) => setTimeout(resolve, 60));
  return { n };
});
sweep.step("sum", { all: collect(work) }, ({ all }) => ({ total: all.reduce((sum, item) => sum + item.n, 0) }));
export default sweep;`;

/** Goes on for seconds after it is seen half-way, however slow the machine is that looks. */
const LONG_SWEEP = SWEEP.replace("resolve, 60", "resolve, 250");

/** As above, with results too large to travel along: the only copy of some dies with the peer that made them. */
const BLOCKS = SWEEP.replace(
  "return { n };",
  "return { n, block: new Float64Array(50_000).fill(n) };",
)
  .replace("{ all: collect(work) }", "{ all: collect(work), blocks: collect(work.block) }")
  .replace("({ all })", "({ all, blocks })")
  .replace(
    "item.n, 0)",
    "item.n, 0) + blocks.reduce((sum, block) => sum + block[49_999] - block[0], 0)",
  );

/** Waits until a part of the sweep is done, as `peer` sees it. */
async function halfWay(peer: MeshPeer, run: string): Promise<void> {
  await eventuallyAsync("half of the tasks are done", async () => {
    const { code, out } = await peer.mf(["status", run, "--json"]);
    if (code !== 0) return undefined;
    const { steps, state } = JSON.parse(out) as StatusJson;
    assert.notEqual(state, "failed");
    const done = steps.find((step) => step.name === "work")?.tasks.succeeded ?? 0;
    return done >= COUNT / 3 ? true : undefined;
  });
}

async function endsRight(peer: MeshPeer, run: string): Promise<StatusJson> {
  const watched = await peer.mf(["watch", run, "--json"]);
  assert.equal(watched.code, 0, `${watched.out}${watched.err}\n${peer.log()}`);
  assert.equal(await peer.json(["get", `${run}/sum/total`]), TOTAL);
  return peer.json<StatusJson>(["status", run, "--json"]);
}

describe("machines that go away", () => {
  let place: MeshPlace | undefined;
  const mesh = async (count: number): Promise<MeshPlace> => (place = await MeshPlace.of(count));
  afterEach(() => place?.dispose());
  after(() => place?.dispose());

  test("a worker killed half-way costs no answer", async () => {
    const { peers } = await mesh(3);
    const [a, b, c] = peers;
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    const file = place?.flow("sweep.ts", SWEEP) ?? "";
    const { run } = await a.json<RunJson>(["submit", file, "--detach", "--json"]);
    await halfWay(a, run);
    await c.kill();
    const status = await endsRight(a, run);
    assert.equal(status.owner, "a");
    await endsRight(b, run);
  });

  test("results whose only copy died with its maker are made again", async () => {
    const { peers } = await mesh(3);
    const [a, b, c] = peers;
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    const file = place?.flow("sweep.ts", BLOCKS) ?? "";
    const { run } = await a.json<RunJson>(["submit", file, "--detach", "--json"]);
    await halfWay(a, run);
    await c.kill();
    await endsRight(a, run);
    await endsRight(b, run);
  });

  test("the owner killed half-way: another peer takes the run over and finishes it", async () => {
    const { peers } = await mesh(3);
    const [a, b, c] = peers;
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    const file = place?.flow("sweep.ts", LONG_SWEEP) ?? "";
    const { run } = await a.json<RunJson>(["submit", file, "--detach", "--json"]);
    await halfWay(b, run);
    await a.kill();
    const status = await endsRight(b, run);
    assert.ok(["b", "c"].includes(status.owner), status.owner);
    await endsRight(c, run);
  });

  test("a submitter that is stopped one second later: the run finishes", async () => {
    const { peers } = await mesh(3);
    const [a, , c] = peers;
    assert.ok(a !== undefined && c !== undefined);
    const file = place?.flow("sweep.ts", SWEEP) ?? "";
    const { run } = await c.json<RunJson>(["submit", file, "--detach", "--json"]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal((await c.mfd(["stop"])).code, 0);
    await endsRight(a, run);
  });

  test("a daemon killed and started again goes on with its run", async () => {
    const { peers } = await mesh(1);
    const [a] = peers;
    assert.ok(a !== undefined);
    const file = place?.flow("sweep.ts", SWEEP) ?? "";
    const { run } = await a.json<RunJson>(["submit", file, "--detach", "--json"]);
    await halfWay(a, run);
    await a.kill();
    await a.start();
    await endsRight(a, run);
  });

  test("closing the terminal that follows a run does not stop it", async () => {
    const { peers } = await mesh(2);
    const [a, b] = peers;
    assert.ok(a !== undefined && b !== undefined);
    const file = place?.flow("sweep.ts", SWEEP) ?? "";
    const following = a.spawnMf(["submit", file]);
    const run = await eventuallyAsync("the run has begun", async () => {
      const { out } = await b.mf(["ls", "--json"]);
      return (JSON.parse(out) as { run: string }[])[0]?.run;
    });
    const ended = outcomeOf(following);
    following.kill("SIGINT");
    const { err } = await ended;
    assert.match(err, /mf watch/);
    await endsRight(b, run);
  });
});
