/** Which facts count as a run's own when another owner goes on with it: those it made, not those that others made meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createEngine } from "../../../../src/engine/engine.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import { runText } from "../../../../src/model/ids.ts";
import { flowPackage, out } from "../../../support/engine-fixture.ts";
import { FakeHosts } from "../../../support/fake-hosts.ts";
import { Durable, FakeStore } from "../../../support/fake-store.ts";

const FLOW = flowPackage({
  steps: [{ name: "make" }, { name: "use", inputs: { v: out("make", "v") } }],
});
const STEPS = {
  make: () => ({ v: 7 }),
  use: (inputs: Record<string, unknown>) => ({ twice: Number(inputs["v"]) * 2 }),
};

test("what another run made after this one began is reused, not executed, by whoever goes on", async () => {
  const durable = new Durable();
  const hosts = new FakeHosts(STEPS);
  const engine = (): ReturnType<typeof createEngine> =>
    createEngine({
      store: new FakeStore(durable),
      hosts,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      peer: "a",
      capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
    });
  const request = { params: {}, user: "ada" };
  const lost = await engine().start(FLOW, request);
  await lost.finished;
  // Its owner died when a worker had made one result, before any journal could name it.
  const key = runText(lost.run);
  durable.journals.set(key, (durable.journals.get(key) ?? []).slice(0, 1));
  const used = [...durable.facts.values()].find(({ step }) => step === "use");
  assert.ok(used);
  durable.forget(used.memoKey);
  const other = await (await engine().start(FLOW, request)).finished;
  assert.deepEqual([other.tasks.reused, other.tasks.executed], [1, 1]);

  const { tasks } = await (await engine().resume(lost.run)).finished;
  assert.deepEqual([tasks.reused, tasks.executed], [1, 1]);
  const named = (durable.journals.get(key) ?? []).flatMap((entry) =>
    entry.t === "tasks-succeeded" ? entry.tasks : [],
  );
  assert.deepEqual(
    named.map(({ step, attempt }) => [step, attempt !== undefined]),
    [
      ["make", true],
      ["use", false],
    ],
  );
});
