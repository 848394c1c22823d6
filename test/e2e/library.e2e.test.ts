/** `meshflow/client` from a project of a user: installed as a package, type-checked, over a store, beside an `mf run`, beside a daemon. */
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { MeshPeer } from "../support/mesh-place.ts";
import { MfPlace, outcomeOf, type MfOutcome } from "../support/mf-process.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const TSC = resolve(ROOT, "node_modules/typescript/bin/tsc");

const SWEEP = `const sweep = flow("sweep");
const grid = sweep.step("grid", {}, () => ({ rates: [0.01, 0.1, 1] }));
const fit = sweep.step("fit", { rate: each(grid.rates) }, ({ rate }) => {
  console.log("rate", rate);
  return { rate, loss: (rate - 0.2) ** 2 };
});
sweep.step("best", { fits: collect(fit) }, ({ fits }) => ({ winner: fits.reduce((a, b) => (a.loss < b.loss ? a : b)) }));
export default sweep;`;

/** Waits for a file to be there. */
const SLOW = `import { existsSync } from "node:fs";
const slow = flow("slow", { file: p.string("") });
slow.step("wait", slow.params, async ({ file }) => {
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
  return { done: true };
});
export default slow;`;

/** Answers each line of its input with the runs it sees. */
const ASKER = `import { openClient } from "meshflow/client";
import { createInterface } from "node:readline";
const client = await openClient();
for await (const line of createInterface({ input: process.stdin })) {
  const runs = [];
  for await (const run of client.runs({ state: line })) runs.push(run.pathspec);
  console.log(JSON.stringify(runs));
}
await client.close();`;

const WATCHER = `import { openClient } from "meshflow/client";
const client = await openClient();
const run = await client.run("slow/latest");
for await (const { state } of run.watch({ everyMs: 50 })) console.log(state);
console.log(await (await run.artifact("done")).value());`;

describe("a project that uses meshflow/client", () => {
  const place = new MfPlace();
  const project = join(place.root, "project");
  const started: ChildProcess[] = [];
  let sweep = "";

  const node = (home: string, file: string): ChildProcess => {
    const child = spawn(process.execPath, [join(project, file)], {
      cwd: project,
      env: { ...process.env, MF_HOME: home, MF_USER: "ada" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    started.push(child);
    return child;
  };
  const ran = (home: string, file: string): Promise<MfOutcome> => outcomeOf(node(home, file));

  before(() => {
    mkdirSync(join(project, "node_modules/@types"), { recursive: true });
    symlinkSync(ROOT, join(project, "node_modules/meshflow"));
    symlinkSync(join(ROOT, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
    const write = (name: string, text: string): void => writeFileSync(join(project, name), text);
    write("package.json", '{ "type": "module" }');
    write("asker.mjs", ASKER);
    write("watcher.mjs", WATCHER);
    // What the documentation shows is what runs.
    const pages = readFileSync(join(ROOT, "docs/client.md"), "utf8");
    const blocks = [...pages.matchAll(/```ts\n(.*?)```/gs)].map(([, text]) => text ?? "");
    assert.equal(blocks.length, 2);
    for (const [at, text] of blocks.entries()) write(`example-${at}.ts`, text);
    write(
      "tsconfig.json",
      JSON.stringify({
        compilerOptions: {
          module: "nodenext",
          target: "es2022",
          lib: ["es2023", "esnext.disposable"],
          types: ["node"],
          strict: true,
        },
      }),
    );
    sweep = place.flow("sweep.ts", SWEEP);
  });
  after(() => {
    for (const child of started) if (child.exitCode === null) child.kill("SIGKILL");
    place.dispose();
  });

  test("the examples of docs/client.md compile", () => {
    const { status, stdout } = spawnSync(process.execPath, [TSC, "-p", project], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
  });

  test("they read a store, and end by themselves", async () => {
    const run = ((await place.json(["run", sweep, "--no-check", "--json"])) as { run: string }).run;
    const first = await ran(place.home, "example-0.js");
    assert.equal(first.code, 0, first.err);
    assert.match(first.out, new RegExp(`^${run} 0\\.1\n\\[ 0 \\] 0\\.036`));
    const second = await ran(place.home, "example-1.js");
    assert.equal(second.code, 0, second.err);
    const [tags, error, state, parents] = second.out.split("\n");
    assert.match(tags ?? "", new RegExp(`^${run} seen user:`));
    assert.match(error ?? "", /fit\[99\].*There are: fit\[0\], fit\[1\], fit\[2\]/);
    assert.equal(state, "succeeded 3");
    assert.match(parents ?? "", /grid.*rate 0\.01/);
  });

  test("an open client keeps no run waiting, and sees it when it asks again", async () => {
    const asker = node(place.home, "asker.mjs");
    const lines = createInterface({ input: asker.stdout ?? process.stdin })[Symbol.asyncIterator]();
    const ask = async (state: string): Promise<string[]> => {
      asker.stdin?.write(`${state}\n`);
      return JSON.parse(String((await lines.next()).value)) as string[];
    };
    const before = await ask("succeeded");
    const { run } = (await place.json(["run", sweep, "--no-check", "--json"])) as { run: string };
    assert.deepEqual(await ask("succeeded"), [run, ...before]);
    asker.stdin?.end();
    const [code] = (await once(asker, "exit")) as [number | null];
    assert.equal(code, 0);
  });

  test("a run that goes on in another process is watched to its end", async () => {
    const gate = join(place.root, "gate");
    const slow = place.flow("slow.ts", SLOW);
    const running = place.start(["run", slow, "--no-check", "-p", `file=${gate}`]);
    const ended = outcomeOf(running);
    for (;;) {
      const { out } = await place.mf(["ls", "slow", "--state", "running", "-q"]);
      if (out !== "") break;
    }
    const watcher = node(place.home, "watcher.mjs");
    watcher.stdout?.once("data", () => writeFileSync(gate, ""));
    const { code, out, err } = await outcomeOf(watcher);
    assert.equal(code, 0, err);
    assert.deepEqual(out.trim().split("\n").at(0), "running");
    assert.deepEqual(out.trim().split("\n").slice(-2), ["succeeded", "true"]);
    assert.equal((await ended).code, 0);
  });

  test("beside a daemon the same examples say the same, and tags reach it", async () => {
    const peer = new MeshPeer(place.root, "lab", ["--cpus", "1"]);
    try {
      await peer.start();
      const { run } = await peer.json<{ run: string }>(["submit", sweep, "--no-check", "--json"]);
      const first = await ran(peer.home, "example-0.js");
      assert.equal(first.code, 0, first.err);
      assert.match(first.out, new RegExp(`^${run} 0\\.1\n`));
      const second = await ran(peer.home, "example-1.js");
      assert.equal(second.code, 0, second.err);
      assert.match(second.out, /grid.*rate 0\.01/);
      const marked = await peer.json<{ tags: string[] }>(["tag", run, "--json"]);
      assert.deepEqual(marked.tags, ["seen"]);
      await peer.kill("SIGTERM");
    } finally {
      peer.dispose();
    }
  });
});
