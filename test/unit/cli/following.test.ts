/** What follows something for long: a daemon that is restarted is waited for, and nothing is told twice or left out. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { LogLine } from "../../../src/client/control/daemon-side.ts";
import type { StepProgress } from "../../../src/engine/run-api.ts";
import { MfError } from "../../../src/model/errors.ts";
import {
  deferred,
  fakeDaemon,
  type FakeDaemonPlace,
  peerRow,
  PROGRESS,
  RESULT,
  RUN,
  serveFakeDaemon,
  untilAborted,
} from "../../support/fake-daemon.ts";
import { MfPlace, outcomeOf } from "../../support/mf-process.ts";

function line(text: string, peer: string): LogLine {
  return { at: 5, step: "load", index: [], attempt: 0, stream: "stdout", text, peer };
}

function placeOf(t: TestContext, daemons: FakeDaemonPlace[]): MfPlace {
  const files = new MfPlace();
  t.after(async () => {
    files.dispose();
    for (const daemon of daemons) await daemon.close();
  });
  return files;
}

test("logs -f goes on where a restarted daemon goes on, and tells no line twice", async (t) => {
  const told = deferred();
  const first = await serveFakeDaemon(
    fakeDaemon({
      async logs(_request, onEvent, signal) {
        await onEvent([line("one", "ada"), line("two", "ada"), line("one", "bob")]);
        told.resolve();
        return untilAborted(signal, new MfError("INTERRUPTED"));
      },
    }),
  );
  const daemons = [first];
  const child = placeOf(t, daemons).start(["logs", RUN, "-f"], { MF_HOME: first.home });
  const ended = outcomeOf(child);
  await told.promise;
  daemons.push(
    await first.restart(
      fakeDaemon({
        async logs(_request, onEvent) {
          await onEvent([line("one", "bob"), line("two", "bob"), line("one", "ada")]);
          await onEvent([line("two", "ada"), line("two", "ada")]);
        },
      }),
    ),
  );
  const { code, out, err } = await ended;
  assert.equal(code, 0, err);
  assert.match(err, /the daemon of this home ended/);
  assert.deepEqual(out.trim().split("\n"), [
    "ada load  one",
    "ada load  two",
    "bob load  one",
    "bob load  two",
    "ada load  two",
  ]);
});

test("peers --watch outlives a restart of the daemon", async (t) => {
  const asked = deferred();
  const first = await serveFakeDaemon(
    fakeDaemon({
      async peers() {
        asked.resolve();
        return [peerRow("ada")];
      },
    }),
  );
  const daemons = [first];
  const child = placeOf(t, daemons).start(["peers", "--watch"], { MF_HOME: first.home });
  const ended = outcomeOf(child);
  await asked.promise;
  daemons.push(
    await first.restart(
      fakeDaemon({
        async peers() {
          child.kill("SIGINT");
          return [peerRow("eve")];
        },
      }),
    ),
  );
  const { code, out, err } = await ended;
  assert.equal(code, 0, err);
  assert.match(err, /the daemon of this home ended/);
  assert.match(out, /^eve\t/m);
});

test("a step that ended before anybody watched is told, once", async (t) => {
  const step = (name: string, more: Partial<StepProgress>): StepProgress => ({
    ...PROGRESS.steps[0],
    name,
    state: "succeeded",
    total: 3,
    running: 0,
    succeeded: 3,
    failed: 0,
    reused: 0,
    wallMs: 5,
    ...more,
  });
  const quick = step("quick", {});
  const late = step("late", {});
  const daemon = await serveFakeDaemon(
    fakeDaemon({
      async watch(_run, onEvent) {
        const steps = [quick, step("known", { reused: 3 }), step("late", { state: "running" })];
        await onEvent({ t: "progress", owner: "ada", progress: { ...PROGRESS, steps } });
        await onEvent({
          t: "event",
          event: { t: "step-finished", step: "quick", progress: quick },
        });
        await onEvent({ t: "event", event: { t: "step-finished", step: "late", progress: late } });
        const over = [quick, late];
        await onEvent({ t: "progress", owner: "ada", progress: { ...PROGRESS, steps: over } });
        return RESULT;
      },
    }),
  );
  const { err } = await placeOf(t, [daemon]).mf(["watch", RUN], { MF_HOME: daemon.home });
  const told = err.split("\n").filter((text) => text.startsWith("succeeded "));
  assert.deepEqual(told, ["succeeded quick: 3/3 · 5 ms", "succeeded late: 3/3 · 5 ms"]);
});

test("of a run too short for any picture the steps are told at its end", async (t) => {
  const daemon = await serveFakeDaemon(
    fakeDaemon({
      status: async () => ({
        run: RUN,
        flow: "demo",
        state: "succeeded",
        owner: "ada",
        sealed: true,
        steps: [
          {
            name: "quick",
            state: "succeeded",
            tasks: { total: 2, succeeded: 2, failed: 0, reused: 1, running: 0 },
            peers: { ada: 2 },
          },
        ],
        attempts: { total: 2, lost: 0, failed: 0 },
      }),
    }),
  );
  const { err } = await placeOf(t, [daemon]).mf(["watch", RUN], { MF_HOME: daemon.home });
  assert.equal(err, "succeeded quick: 2/2 · 1 reused\ntasks by peer: ada 2\n");
});

test("Ctrl-C while a daemon is waited for lets go as it does while one is there", async (t) => {
  const following = deferred();
  const gone = await serveFakeDaemon(
    fakeDaemon({
      watch(_run, _onEvent, signal) {
        following.resolve();
        return untilAborted(signal, new MfError("INTERRUPTED"));
      },
    }),
  );
  const child = placeOf(t, []).start(["watch", RUN], { MF_HOME: gone.home });
  const ended = outcomeOf(child);
  const waiting = new Promise<void>((resolve) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("of this home ended")) resolve();
    });
  });
  await following.promise;
  await gone.close();
  await waiting;
  child.kill("SIGINT");
  assert.equal((await ended).code, 130);
});
