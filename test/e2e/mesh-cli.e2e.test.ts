/** What people type at a mesh beyond the straight path: homes with odd names, restarts, Ctrl-C, draining, a revoked peer. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventuallyAsync, MeshPeer } from "../support/mesh-place.ts";
import { errorOf, outcomeOf } from "../support/mf-process.ts";

interface StatusJson {
  readonly state: string;
  readonly owner: string;
  readonly steps: readonly {
    readonly name: string;
    readonly peers: Readonly<Record<string, number>>;
  }[];
}

const OPTIONS = ["--cpus", "1"];
const FLOW = `import { collect, each, flow, p } from "meshflow";
const odd = flow("odd", { ms: p.number(20), count: p.number(4), note: p.file("a note.txt") });
const list = odd.step("list", odd.params, async ({ ms, count, note }) => ({
  text: await note.text(), items: Array.from({ length: count }, (_, i) => ({ i, ms })) }));
const work = odd.step("work", { item: each(list.items) }, async ({ item }) => {
  console.log("item", item.i);
  await new Promise((resolve) => setTimeout(resolve, item.ms));
  return { i: item.i };
});
odd.step("sum", { all: collect(work), text: list.text }, ({ all, text }) => ({ total: all.length, text }));
export default odd;
`;

describe("two daemons in homes with blanks and long names", () => {
  const root = mkdtempSync(join(tmpdir(), "mf mesh cli "));
  const a = new MeshPeer(root, "a", [...OPTIONS, "--label", "here"]);
  const b = new MeshPeer(join(root, "x".repeat(120), "y".repeat(60)), "b", OPTIONS);
  const note = `note=${join(root, "a note.txt")}`;
  const submit = ["submit", join(root, "my flow.ts"), "--no-check", "--no-cache", "-p", note];
  before(async () => {
    writeFileSync(join(root, "my flow.ts"), FLOW);
    writeFileSync(join(root, "a note.txt"), "from a file");
    await a.start();
    await b.start(["--join", (await a.mfd(["invite"])).out.trim()]);
    await eventuallyAsync("both are there", async () =>
      (await a.peers()).length === 2 && (await b.peers()).length === 2 ? true : undefined,
    );
  });
  after(() => {
    for (const peer of [a, b]) peer.dispose();
    rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });

  test("a file parameter of the submitter is read wherever the task runs", async () => {
    const { code, err } = await a.mf([...submit]);
    assert.equal(code, 0, err);
    assert.match(err, /^succeeded list: 1\/1/m);
    assert.match(err, /^succeeded sum: 1\/1/m);
    const { out } = await b.mf(["get", "odd/latest/sum/text"]);
    assert.equal(JSON.parse(out), "from a file");
  });

  test("Ctrl-C lets a run go, and it ends elsewhere", async () => {
    const child = a.spawnMf([...submit, "-p", "ms=300"]);
    const ended = outcomeOf(child);
    assert.ok(child.stderr !== null);
    await once(child.stderr, "data");
    child.kill("SIGINT");
    const { code, err } = await ended;
    assert.equal(code, 130);
    const run = /^detached: (\S+) goes on/m.exec(err)?.[1] ?? "";
    const watched = await b.json<{ state: string }>(["watch", run, "--json"]);
    assert.equal(watched.state, "succeeded");
  });

  test("labels and resources that no peer has are refused with what to do", async () => {
    const outcome = await b.mf([...submit, "--on", "gpu", "--json"]);
    assert.equal(outcome.code, 4);
    assert.match(errorOf(outcome).message, /a peer labelled gpu; no peer of the mesh has that\.$/);
    const here = await b.json<{ run: string }>([...submit, "--on", "here", "--json"]);
    const { steps } = await b.json<StatusJson>(["status", here.run, "--json"]);
    assert.ok(steps.every(({ peers }) => Object.keys(peers).join(",") === "a"));
  });

  test("a draining daemon gives away its runs, those it is given then too", async () => {
    const { run } = await b.json<{ run: string }>([
      ...submit,
      "-p",
      "ms=400",
      "-p",
      "count=8",
      "--detach",
      "--json",
    ]);
    const { code, err } = await b.mfd(["drain"]);
    assert.equal(code, 0, err);
    const later = await b.json<{ run: string }>([...submit, "--json"]);
    for (const name of [run, later.run]) {
      const ended = await a.json<{ state: string }>(["watch", name, "--json"]);
      assert.equal(ended.state, "succeeded");
      assert.equal((await a.json<StatusJson>(["status", name, "--json"])).owner, "a");
    }
    const { steps } = await a.json<StatusJson>(["status", later.run, "--json"]);
    assert.ok(steps.every(({ peers }) => Object.keys(peers).join(",") === "a"));
  });

  test("stopped and started again it is where it was", async () => {
    const listen = async (): Promise<readonly string[]> =>
      (JSON.parse((await b.mfd(["status", "--json"])).out) as { listen: string[] }).listen;
    const before = await listen();
    assert.equal((await b.mfd(["stop"])).code, 0);
    assert.equal((await b.mfd(["start"])).code, 0);
    try {
      assert.deepEqual(await listen(), before);
      await eventuallyAsync("a sees b again", async () =>
        (await a.peers()).find(({ name, state }) => name === "b" && state === "alive"),
      );
    } finally {
      assert.equal((await b.mfd(["stop"])).code, 0);
    }
  });

  test("a revoked peer is told so, and is gone from the others' list", async () => {
    await b.start();
    const daemon = b.daemon;
    assert.ok(daemon !== undefined);
    const gone = daemon.exitCode === null ? once(daemon, "exit") : undefined;
    assert.equal((await a.mfd(["revoke", "b"])).code, 0);
    await gone;
    const again = await b.mfd(["start", "--json"]);
    assert.deepEqual([again.code, errorOf(again).code], [5, "PEER_REVOKED"]);
    assert.deepEqual(
      (await a.peers()).map(({ name }) => name),
      ["a"],
    );
  });
});
