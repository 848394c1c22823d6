/** Removing runs as people do it, with real processes: in one home, and in a mesh one of whose peers is away meanwhile. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventuallyAsync, MeshPeer, MeshPlace } from "../support/mesh-place.ts";
import { errorOf } from "../support/mf-process.ts";

interface GcJson {
  readonly removed: readonly string[];
  readonly facts: number;
  readonly bytes: number;
  readonly diskBytes: number;
  readonly peers: readonly { readonly peer: string; readonly isComplete: boolean }[];
  readonly unanswered: readonly string[];
}

/** Each run makes 400 kB of its own, and names what all runs share. */
const FLOW = `
const pile = flow("pile", { n: p.number(0) });
const base = pile.step("base", {}, () => ({ table: Float64Array.from({ length: 20_000 }, (_, i) => i) }));
const own = pile.step("own", { n: pile.params.n, table: base.table }, ({ n, table }) => ({
  rows: table.map((x, i) => Math.sin(x * (n + 1) + i)), more: [1, 2, 3].map((i) => ({ i: i + n })) }));
pile.step("each", { item: each(own.more) }, ({ item }) => ({ text: "x".repeat(20_000) + item.i }));
export default pile;
`;

function segmentBytes(home: string): number {
  const folder = join(home, "store", "segments");
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

function argvOf(command: string, file: string, n: number): string[] {
  return [command, file, "--no-check", "-p", `n=${n}`, "--json"];
}

async function listed(peer: MeshPeer): Promise<readonly string[]> {
  return (await peer.json<{ run: string }[]>(["ls", "--json"])).map(({ run }) => run).reverse();
}

/** Every artifact of the runs comes back, verified by its hash. */
async function assertWhole(peer: MeshPeer, runs: readonly string[]): Promise<void> {
  for (const run of runs)
    for (const step of ["own", "each"]) {
      const { code, err } = await peer.mf([
        "get",
        `${run}/${step}`,
        "-o",
        join(peer.home, "out"),
        "--force",
      ]);
      assert.equal(code, 0, `${run}/${step}: ${err}`);
    }
}

describe("one home", () => {
  const root = mkdtempSync(join(tmpdir(), "mf-collection-"));
  const peer = new MeshPeer(root, "lone", []);
  const file = join(root, "pile.ts");
  const runs: string[] = [];
  before(async () => {
    writeFileSync(file, `import { each, flow, p } from "meshflow";\n${FLOW}`);
    for (let n = 0; n < 10; n++)
      runs.push((await peer.json<{ run: string }>(argvOf("run", file, n))).run);
  });
  after(() => {
    peer.dispose();
    rmSync(root, { recursive: true, force: true });
  });

  test("a removed run is hidden at once, and comes back until it is collected", async () => {
    const last = runs[9] ?? "";
    assert.deepEqual(await peer.json(["rm", last, "--json"]), { removed: [last] });
    assert.equal((await listed(peer)).length, 9);
    assert.equal((await peer.mf(["status", last, "--json"])).code, 3);
    const { out } = await peer.mf(["get", "pile/latest/own/more"]);
    assert.match(out, /"i": 9/, "latest is the one before");
    assert.deepEqual(await peer.json(["rm", "--undo", "pile/latest", "--json"]), {
      restored: [last],
    });
    assert.deepEqual(await listed(peer), runs);
  });

  test("of ten runs two are kept: the disk gets its bytes back and nothing live is lost", async () => {
    const counted = await peer.json<GcJson>(["gc", "--keep", "2", "--dry-run", "--json"]);
    assert.deepEqual(counted.removed, runs.slice(0, 8));
    assert.equal((await listed(peer)).length, 10);
    const before = segmentBytes(peer.home);
    const report = await peer.json<GcJson>(["gc", "--keep", "2", "--json"]);
    assert.deepEqual([report.removed, report.bytes], [counted.removed, counted.bytes]);
    assert.equal(before - segmentBytes(peer.home), report.diskBytes);
    assert.ok(report.diskBytes > 8 * 160_000, `${report.diskBytes} bytes`);
    assert.deepEqual(await listed(peer), runs.slice(8));
    await assertWhole(peer, runs.slice(8));
    const again = await peer.json<GcJson>(["gc", "--json"]);
    assert.deepEqual([again.facts, again.bytes, again.diskBytes], [0, 0, 0], "nothing is left");
    const gone = await peer.mf(["rm", "--undo", runs[0] ?? "", "--json"]);
    assert.equal(errorOf(gone).code, "RUN_COLLECTED");
    assert.equal(gone.code, 7);
    // What was collected is computed again; what stayed is not.
    const { tasks } = await peer.json<{ tasks: { reused: number; executed: number } }>(
      argvOf("run", file, 0),
    );
    assert.deepEqual([tasks.reused, tasks.executed], [1, 4]);
  });
});

describe("three daemons, one of them away", () => {
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(3, ["--cpus", "1"]);
  });
  after(() => place.dispose());

  test("a collection of the mesh frees bytes everywhere, and who was away brings nothing back", async () => {
    const [a, b, c] = place.three();
    const file = place.flow("pile.ts", FLOW);
    await Promise.all(Array.from({ length: 10 }, (_, n) => a.json(argvOf("submit", file, n))));
    const runs = await listed(a);
    await c.kill("SIGKILL");
    const held = segmentBytes(a.home) + segmentBytes(b.home);
    // What was asked for by somebody in this very moment stays until the next time.
    const removed: string[] = [];
    let bytes = 0;
    await eventuallyAsync("what the removed runs held is free", async () => {
      const report = await a.json<GcJson>(["gc", "--keep", "2", "--json"]);
      assert.ok(report.unanswered.includes("c"), JSON.stringify(report));
      assert.ok(report.peers.every(({ isComplete }) => !isComplete));
      removed.push(...report.removed);
      bytes += report.bytes;
      return report.facts === 0 && report.bytes === 0 ? true : undefined;
    });
    assert.deepEqual(removed, runs.slice(0, 8));
    assert.ok(bytes > 8 * 160_000, `${bytes} of ${held} bytes`);
    for (const peer of [a, b]) assert.deepEqual(await listed(peer), runs.slice(8), peer.name);
    await assertWhole(b, runs.slice(8));
    await c.start();
    await place.settled();
    for (const peer of [c, a]) {
      await eventuallyAsync(`${peer.name} lists two runs`, async () => {
        const { length } = await peer.json<unknown[]>(["ls", "--json"]);
        return length === 2 ? true : undefined;
      });
    }
    // It collects too, from what it is told now.
    await eventuallyAsync("c has freed what it had", async () => {
      const report = await c.json<GcJson>(["gc", "--json"]);
      return report.unanswered.length === 0 && report.facts === 0 ? true : undefined;
    });
    const { rows } = await versionsOf(c);
    assert.equal(rows, 2 * 2 + 1 + 2 * 3, "of each artifact what two runs have");
    await assertWhole(c, runs.slice(8));
    const refused = await a.mf(["rm", "--undo", runs[0] ?? "", "--json"]);
    assert.equal(errorOf(refused).code, "RUN_COLLECTED");
  });
});

async function versionsOf(peer: MeshPeer): Promise<{ rows: number }> {
  const rows = await peer.json<{ artifact: string }[]>(["ls-versions", "pile", "--json"]);
  return { rows: rows.length };
}
