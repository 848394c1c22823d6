/** One store, several processes: a second run is refused, readers are answered, a killed run loses nothing that was durable. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { errorOf, eventually, MfPlace, outcomeOf } from "../support/mf-process.ts";

/** Quick tasks, then one that waits for a file named by an environment variable. */
const GATED = `import { existsSync, appendFileSync } from "node:fs";
const gated = flow("gated", { gate: p.string(), trace: p.string() });
const list = gated.step("list", {}, () => ({ xs: [0, 1, 2, 3] }));
const quick = gated.step("quick", { x: each(list.xs), trace: gated.params.trace }, ({ x, trace }) => {
  appendFileSync(trace, "q");
  return { y: x + 1 };
});
gated.step("slow", { ys: collect(quick.y), gate: gated.params.gate }, async ({ ys, gate }, ctx) => {
  console.log("waiting");
  while (!existsSync(gate) && !ctx.signal.aborted) await new Promise((r) => setTimeout(r, 20));
  ctx.signal.throwIfAborted();
  return { sum: ys.reduce((s, y) => s + y, 0) };
});
export default gated;`;

function gatedPlace(): { place: MfPlace; argv: string[]; gate: string; trace: string } {
  const place = new MfPlace();
  const gate = join(place.root, "gate");
  const trace = join(place.root, "trace");
  const file = place.flow("gated.ts", GATED);
  return { place, gate, trace, argv: ["run", file, "-p", `gate=${gate}`, "-p", `trace=${trace}`] };
}

/** The slow step has begun: all the others are done. */
async function untilWaiting(place: MfPlace): Promise<void> {
  await eventually("the slow step prints", () => {
    const logs = join(place.home, "logs", "gated");
    const runs = namesIn(logs).filter((run) =>
      contentOf(join(logs, run, "slow.ndjson")).includes("waiting"),
    );
    return runs[0];
  });
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

interface Report {
  readonly state: string;
  readonly tasks: { readonly reused: number; readonly executed: number; readonly total: number };
}

describe("a store that a run holds", () => {
  const { place, argv, gate } = gatedPlace();
  after(() => place.dispose());

  test("a second run is STORE_IN_USE with exit 6; ls, status, logs and get are answered meanwhile", async () => {
    const running = outcomeOf(place.start([...argv, "--json"]));
    await untilWaiting(place);
    const second = await place.mf([...argv, "--json"]);
    assert.deepEqual([second.code, errorOf(second).code], [6, "STORE_IN_USE"]);
    const runs = (await place.json(["ls", "--json"])) as { run: string; state: string }[];
    assert.deepEqual(
      runs.map((row) => row.state),
      ["running"],
    );
    const run = runs[0]?.run ?? "";
    const status = (await place.json(["status", run, "--json"])) as {
      state: string;
      steps: { name: string; state: string; tasks: { running: number; succeeded: number } }[];
    };
    assert.equal(status.state, "running");
    assert.deepEqual(
      status.steps.map(({ name, state, tasks }) => [name, state, tasks.succeeded, tasks.running]),
      [
        ["list", "succeeded", 1, 0],
        ["quick", "succeeded", 4, 0],
        ["slow", "running", 0, 1],
      ],
    );
    assert.equal((await place.mf(["logs", `${run}/slow`])).out, "slow  waiting\n");
    assert.equal(await place.json(["get", `${run}/quick[1]/y`]), 2);
    writeFileSync(gate, "");
    const { code, out } = await running;
    assert.equal(code, 0);
    assert.equal((JSON.parse(out) as Report).state, "succeeded");
  });
});

describe("a home that cannot be written", () => {
  const place = new MfPlace();
  after(() => place.dispose());

  test("is STORE_UNWRITABLE with exit 5, for running and for reading", async () => {
    const file = place.flow(
      "one.ts",
      `const one = flow("one"); one.step("a", {}, () => ({ x: 1 })); export default one;`,
    );
    const plain = place.write("plain", "not a directory");
    const env = { MF_HOME: join(plain, "home") };
    for (const argv of [["run", file], ["ls"], ["status", "one/latest"]]) {
      const outcome = await place.mf([...argv, "--json"], env);
      assert.deepEqual([outcome.code, errorOf(outcome).code], [5, "STORE_UNWRITABLE"], argv[0]);
    }
    const doctor = await place.mf(["doctor", "--json"], env);
    assert.equal(doctor.code, 1);
    assert.equal((JSON.parse(doctor.out) as { ok: boolean }).ok, false);
  });
});

describe("a run that is killed", () => {
  const { place, argv, gate, trace } = gatedPlace();
  after(() => place.dispose());

  test("by SIGKILL leaves no process; it shows as failed with INTERRUPTED, and the next run reuses what was durable", async () => {
    const child = place.start(argv);
    const ended = outcomeOf(child);
    await untilWaiting(place);
    child.kill("SIGKILL");
    assert.equal((await ended).signal, "SIGKILL");
    await eventually("its hosts are gone", () =>
      place.processesLeft().length === 0 ? true : undefined,
    );
    const [row] = (await place.json(["ls", "--json"])) as { run: string; state: string }[];
    assert.equal(row?.state, "failed");
    const status = (await place.json(["status", row?.run ?? "", "--json"])) as {
      state: string;
      error: { code: string };
    };
    assert.deepEqual([status.state, status.error.code], ["failed", "INTERRUPTED"]);
    assert.match((await place.mf(["status", row?.run ?? ""])).err, /INTERRUPTED/);
    writeFileSync(gate, "");
    const report = (await place.json([...argv, "--json"])) as Report;
    assert.deepEqual(
      [report.state, report.tasks.reused, report.tasks.executed],
      ["succeeded", 5, 1],
    );
    assert.equal(await place.json(["get", "gated/latest/slow/sum"]), 10);
    assert.equal(readFileSync(trace, "utf8"), "qqqq");
  });
});

describe("Ctrl-C", () => {
  const { place, argv, gate } = gatedPlace();
  after(() => place.dispose());

  test("exits 130, keeps what is done, and the next run goes on from there", async () => {
    const child = place.start(argv);
    const ended = outcomeOf(child);
    await untilWaiting(place);
    child.kill("SIGINT");
    const { code, out, err } = await ended;
    assert.equal(code, 130, err);
    assert.match(out, /cancelled/);
    assert.match(err, /what is done is kept/);
    assert.deepEqual(place.processesLeft(), []);
    const [row] = (await place.json(["ls", "--json"])) as { state: string }[];
    assert.equal(row?.state, "cancelled");
    writeFileSync(gate, "");
    const report = (await place.json([...argv, "--json"])) as Report;
    assert.deepEqual([report.tasks.reused, report.tasks.executed], [5, 1]);
  });
});

describe("a flow file edited while it runs", () => {
  const { place, argv, gate } = gatedPlace();
  after(() => place.dispose());

  test("changes nothing of that run; the next one executes what the edit reaches", async () => {
    const running = outcomeOf(place.start([...argv, "--json"]));
    await untilWaiting(place);
    mkdirSync(place.flows, { recursive: true });
    place.flow("gated.ts", GATED.replace("(s, y) => s + y, 0)", "(s, y) => s + y, 100)"));
    writeFileSync(gate, "");
    assert.equal((await running).code, 0);
    assert.equal(await place.json(["get", "gated/latest/slow/sum"]), 10);
    const report = (await place.json([...argv, "--json"])) as Report;
    assert.deepEqual([report.tasks.reused, report.tasks.executed], [5, 1]);
    assert.equal(await place.json(["get", "gated/latest/slow/sum"]), 110);
  });
});
