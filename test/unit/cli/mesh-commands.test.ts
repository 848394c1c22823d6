import assert from "node:assert/strict";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { cidOf } from "../../../src/artifact/cid.ts";
import { encodeValue } from "../../../src/artifact/codec.ts";
import type { DaemonSide, SubmitRequest } from "../../../src/client/control/daemon-side.ts";
import { MfError } from "../../../src/model/errors.ts";
import {
  deferred,
  fakeDaemon,
  peerRow,
  PROGRESS,
  RESULT,
  RUN,
  serveFakeDaemon,
  SUMMARY,
  untilAborted,
} from "../../support/fake-daemon.ts";
import { errorOf, MfPlace, outcomeOf, type MfOutcome } from "../../support/mf-process.ts";

interface Place {
  readonly mf: (...argv: string[]) => Promise<MfOutcome>;
  readonly start: (...argv: string[]) => ReturnType<MfPlace["start"]>;
  readonly flow: string;
}

async function place(t: TestContext, more: Partial<DaemonSide> = {}): Promise<Place> {
  const daemon = await serveFakeDaemon(fakeDaemon(more));
  const files = new MfPlace();
  t.after(async () => {
    files.dispose();
    await daemon.close();
  });
  const flow = files.flow(
    "demo.ts",
    `const demo = flow("demo", { n: p.number(1), data: p.file("data.txt") });
demo.step("load", demo.params, ({ n }) => ({ m: n + 1 }));
export default demo;`,
  );
  files.write("data.txt", "abc");
  const env = { MF_HOME: daemon.home };
  return {
    flow,
    mf: (...argv) => files.mf(argv, env),
    start: (...argv) => files.start(argv, env),
  };
}

const watched: Pick<DaemonSide, "watch"> = {
  async watch(_run, onEvent) {
    const [step] = PROGRESS.steps;
    assert.ok(step !== undefined);
    await onEvent({ t: "progress", owner: "ada", progress: PROGRESS, peers: { ada: 1, bob: 1 } });
    const progress = { ...step, state: "succeeded" as const, running: 0, succeeded: 3 };
    await onEvent({ t: "event", event: { t: "step-finished", step: "load", progress } });
    return RESULT;
  },
};
const RUN_JSON = {
  run: RUN,
  state: "succeeded",
  durationMs: 1234,
  tasks: { total: 3, succeeded: 3, failed: 0, reused: 1, executed: 2 },
};

test("submit hands over package, parameters, files and options, then follows to the end", async (t) => {
  let got: SubmitRequest | undefined;
  const paths: string[] = [];
  const { mf, flow } = await place(t, {
    ...watched,
    async submit(request) {
      got = request;
      return { run: RUN, owner: "ada", copies: 3 };
    },
    async putFile(path) {
      paths.push(path);
      return { id: cidOf("raw", Buffer.from("abc")), bytes: 3 };
    },
  });
  const options = ["-p", "n=4", "--on", "gpu=yes", "--seed", "7", "--max-tasks", "5", "--no-cache"];
  const { code, out, err } = await mf("submit", flow, ...options);
  assert.equal(code, 0, err);
  assert.match(err, /run demo\/k3j9x2m4ab, owner ada, kept by 3 peers/);
  assert.match(err, /succeeded load: 3\/3/);
  assert.match(err, /tasks by peer: bob 2, ada 1/);
  assert.match(out, /succeeded in 1\.2 s: 3 tasks, 2 executed, 1 reused/);
  assert.equal(got?.flowPackage.graph.name, "demo");
  assert.deepEqual(got?.params["n"]?.text, "4");
  assert.deepEqual(got?.params["n"]?.data, encodeValue(4).data);
  assert.deepEqual(got?.options, { noCache: true, maxTasks: 5, labels: ["gpu=yes"] });
  assert.equal(got?.seed, "7");
  assert.equal(paths.length, 1);
  assert.ok(paths[0]?.endsWith("/data.txt"));
});

test("the daemon hears of a submission before the flow is loaded, and may refuse to prepare for it", async (t) => {
  const calls: string[] = [];
  const { mf, flow } = await place(t, {
    async prepare() {
      calls.push("prepare");
      throw new MfError("NOT_AVAILABLE", { what: "prepare" });
    },
    async submit() {
      calls.push("submit");
      return { run: RUN, owner: "ada", copies: 2 };
    },
  });
  const { code } = await mf("submit", flow, "--no-check", "--detach", "--json");
  assert.equal(code, 0);
  assert.deepEqual(calls, ["prepare", "submit"]);
});

test("submit --json ends with the object of `mf run --json` and nothing else", async (t) => {
  const { mf, flow } = await place(t, watched);
  const { code, out, err } = await mf("submit", flow, "--no-check", "--json");
  assert.deepEqual([code, JSON.parse(out), err], [0, RUN_JSON, ""]);
});

test("submit --detach --json prints the run and leaves", async (t) => {
  const { mf, flow } = await place(t);
  const { code, out } = await mf("submit", flow, "--no-check", "--detach", "--json");
  assert.deepEqual([code, JSON.parse(out)], [0, { run: RUN }]);
});

test("a missing file is a wrong parameter before anything is submitted", async (t) => {
  const { mf, flow } = await place(t);
  const outcome = await mf("submit", flow, "--no-check", "-p", "data=gone.txt", "--json");
  assert.equal(outcome.code, 2);
  assert.equal(errorOf(outcome).code, "PARAM_INVALID");
});

test("a run that fails fails the command", async (t) => {
  const failure = {
    step: "load",
    index: [],
    attempt: 0,
    error: { code: "STEP_THREW" as const, details: { message: "boom" } },
  };
  const { mf } = await place(t, {
    watch: async () => ({ ...RESULT, state: "failed", failures: [failure] }),
  });
  const { code, err } = await mf("watch", RUN);
  assert.equal(code, 1);
  assert.match(err, /step load: boom/);
});

test("where no daemon runs the commands of the mesh say what to do", async () => {
  const files = new MfPlace();
  try {
    const file = files.flow("demo.ts", `export default flow("demo", {});`);
    for (const argv of [["peers"], ["watch", RUN], ["cancel", RUN], ["submit", file]]) {
      const outcome = await files.mf([...argv, "--json"]);
      assert.equal(outcome.code, 4, argv.join(" "));
      assert.equal(errorOf(outcome).code, "DAEMON_MISSING");
      assert.match(errorOf(outcome).remedy, /mfd start/);
    }
  } finally {
    files.dispose();
  }
});

test("Ctrl-C while following detaches and does not cancel", async (t) => {
  const following = deferred();
  let cancelled = 0;
  const { start, flow } = await place(t, {
    async watch(_run, _onEvent, signal) {
      following.resolve();
      return untilAborted(signal, new MfError("INTERRUPTED"));
    },
    cancel: async () => void cancelled++,
  });
  const child = start("submit", flow, "--no-check");
  const ended = outcomeOf(child);
  await following.promise;
  child.kill("SIGINT");
  const { code, err } = await ended;
  assert.equal(code, 130);
  assert.match(err, /detached: demo\/k3j9x2m4ab goes on.*mf watch demo\/k3j9x2m4ab.*mf cancel/);
  assert.equal(cancelled, 0);
});

test("`mf run` where a daemon holds the store submits, follows, and Ctrl-C cancels", async (t) => {
  const following = deferred();
  const cancelled = deferred<string>();
  const { start, flow } = await place(t, {
    async watch() {
      following.resolve();
      await cancelled.promise;
      return { ...RESULT, state: "cancelled" };
    },
    cancel: async (run) => cancelled.resolve(run),
  });
  const child = start("run", flow, "--no-check");
  const ended = outcomeOf(child);
  await following.promise;
  child.kill("SIGINT");
  const { code, out, err } = await ended;
  assert.equal(code, 130);
  assert.match(err, /cancelling/);
  assert.match(out, /cancelled in/);
  assert.equal(await cancelled.promise, RUN);
});

test("a follower finds a daemon that was restarted", async (t) => {
  const files = new MfPlace();
  const first = await serveFakeDaemon(
    fakeDaemon({
      async watch(_run, onEvent, signal) {
        await onEvent({ t: "progress", owner: "ada", progress: PROGRESS });
        following.resolve();
        return untilAborted(signal, new MfError("INTERRUPTED"));
      },
    }),
  );
  const following = deferred();
  t.after(() => files.dispose());
  const child = files.start(["watch", RUN, "--json"], { MF_HOME: first.home });
  const ended = outcomeOf(child);
  await following.promise;
  const second = await first.restart(fakeDaemon(watched));
  t.after(() => second.close());
  const { code, out } = await ended;
  assert.deepEqual([code, JSON.parse(out)], [0, RUN_JSON]);
});

test("peers --json has the documented fields, --wide all of them", async (t) => {
  const rows = [peerRow("ada", { self: true }), peerRow("bob", { labels: { gpu: "yes" } })];
  const { mf } = await place(t, { peers: async () => rows });
  const short = JSON.parse((await mf("peers", "--json")).out) as object[];
  const { name, id, self, state, cpus, memBytes, gpus, load, slots, version } = peerRow("bob");
  assert.deepEqual(short[1], {
    name,
    id,
    self,
    state,
    cpus,
    memBytes,
    gpus,
    load,
    slots,
    version,
  });
  assert.deepEqual(JSON.parse((await mf("peers", "--wide", "--json")).out), rows);
  const table = (await mf("peers", "--wide")).out.split("\n");
  assert.match(
    table[0] ?? "",
    /^name\tid\tstate\tcpus\tmemory\tgpus\tload\tslots\tdisk\tversion\tlatency\t/,
  );
  assert.match(table[2] ?? "", /^bob\t12D3KooWbob\talive\t4\t.*gpu=yes/);
});

test("peers --watch goes on until Ctrl-C", async (t) => {
  let asked = 0;
  const { start } = await place(t, {
    peers: async () => {
      asked += 1;
      return [peerRow("ada")];
    },
  });
  const child = start("peers", "--watch", "--json");
  const ended = outcomeOf(child);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  child.kill("SIGINT");
  const { code, out } = await ended;
  assert.equal(code, 0);
  assert.equal(out.trim().split("\n").length, asked);
});

test("cancel tells the owner, and of a run that has ended that it has", async (t) => {
  const told: string[] = [];
  const cancel = async (run: string): Promise<void> => void told.push(run);
  const { mf } = await place(t, { cancel });
  assert.deepEqual(JSON.parse((await mf("cancel", "demo/latest", "--json")).out), {
    run: RUN,
    state: "running",
  });
  assert.deepEqual(told, [RUN]);
  const over = await place(t, { cancel, run: async () => ({ ...SUMMARY, state: "failed" }) });
  assert.match((await over.mf("cancel", RUN)).out, /has ended already: failed/);
  assert.equal(told.length, 1);
});

test("lists name the peers that did not answer on stderr", async (t) => {
  const version = {
    artifact: "demo/load/m",
    id: cidOf("raw", Buffer.from("m")),
    run: RUN,
    at: 5,
    by: "ada",
    bytes: 3,
    peers: ["ada", "bob"],
  };
  const more = { what: "artifact", user: "ada", kind: "number", code: "0".repeat(64) } as const;
  const row = { ...version, ...more, lastRun: RUN, seenAt: 5, seen: 1 };
  const { mf } = await place(t, {
    unanswered: async () => ["cyd"],
    versions: async () => ({ rows: [row], more: false }),
  });
  const versions = await mf("ls-versions", "demo", "--json");
  assert.deepEqual(JSON.parse(versions.out), [version]);
  assert.match(versions.err, /no answer from cyd/);
  assert.match((await mf("ls")).err, /no answer from cyd/);
  assert.match((await mf("ls-versions")).out, /\tada,bob\n$/);
});

test("status shows who did the tasks of each step", async (t) => {
  const { mf } = await place(t);
  const { out } = await mf("status", RUN);
  assert.match(out, /^step\tstate\t.*\tpeers\nload\trunning\t3\t1\t0\t1\t1\tbob 2, ada 1\n$/);
});

test("logs come with the name of the peer that printed them", async (t) => {
  const line = { peer: "bob", step: "load", index: [2], attempt: 1, at: 5 };
  const { mf } = await place(t, {
    async logs(_request, onEvent) {
      await onEvent([
        { ...line, stream: "stdout", text: "one" },
        { ...line, stream: "stderr", text: "two" },
      ]);
      await onEvent([]);
      await onEvent([{ ...line, stream: "stdout", text: "three" }]);
    },
  });
  assert.equal(
    (await mf("logs", `${RUN}/load`)).out,
    "bob load[2] (attempt 1)  one\nbob load[2] (attempt 1)  two\nbob load[2] (attempt 1)  three\n",
  );
  const json = (await mf("logs", RUN, "-f", "--json", "--tail", "1")).out.trim().split("\n");
  assert.deepEqual(
    json.map((text) => JSON.parse(text) as unknown),
    [
      { at: 5, step: "load", index: [2], attempt: 1, stream: "err", text: "two", peer: "bob" },
      { at: 5, step: "load", index: [2], attempt: 1, stream: "out", text: "three", peer: "bob" },
    ],
  );
});

test("get brings what is not here and verifies it", async (t) => {
  const { data } = encodeValue({ a: [1, 2] });
  const id = cidOf("messagepack", data);
  let isHere = false;
  const artifact = {
    pathspec: `${RUN}/load/m`,
    name: "m",
    index: [],
    path: [],
    ref: { id, bytes: data.length, kind: "object{1}" },
  };
  const side: Partial<DaemonSide> = {
    resolve: async () => ({ kind: "artifact", artifact }),
    locate: async (ids) => ids.map(() => (isHere ? { inline: data } : undefined)),
    async bring(ids, onEvent) {
      assert.deepEqual(ids, [id]);
      await onEvent({ bytes: data.length, total: data.length });
      isHere = true;
    },
  };
  const { mf } = await place(t, side);
  const { code, out, err } = await mf("get", `${RUN}/load/m`);
  assert.deepEqual([code, JSON.parse(out), err], [0, { a: [1, 2] }, ""]);
  const wrong = await place(t, {
    ...side,
    locate: async (ids) => ids.map(() => ({ inline: encodeValue(5).data })),
  });
  assert.equal((await wrong.mf("get", `${RUN}/load/m`)).code, 7);
});

test("help has examples and completion knows the new commands", async (t) => {
  const { mf } = await place(t);
  assert.match((await mf("submit", "--help")).out, /Examples:\n +mf submit/);
  assert.match((await mf("completion", "bash")).out, /submit.*peers/s);
  assert.equal((await mf("submit", "x.ts", "--on", "a b")).code, 2);
});
