import assert from "node:assert/strict";
import { test } from "node:test";
import { createEngine, type EngineDeps } from "../../../../src/engine/engine.ts";
import type { PlacedBatchOptions } from "../../../../src/engine/ports.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { runText, type Cid } from "../../../../src/model/ids.ts";
import type { AttemptBatch, BatchResult } from "../../../../src/task/host-messages.ts";
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

/** Hosts of a mesh where the only peer that had an input of `use` dies before anybody could fetch it. */
class ForgetfulHosts extends FakeHosts {
  readonly bringsContent = true;
  readonly #durable: Durable;

  constructor(durable: Durable) {
    super(STEPS);
    this.#durable = durable;
  }

  override async runBatch(batch: AttemptBatch, options: PlacedBatchOptions): Promise<BatchResult> {
    if (batch.step !== "use") return super.runBatch(batch, options);
    const inputs = batch.attempts[0]?.inputs;
    assert.ok(inputs !== undefined && "fields" in inputs);
    const id = (inputs.fields["v"] as { id: Cid }).id;
    this.#durable.contents.delete(id);
    const error = { code: "CONTENT_MISSING", details: { id, asked: "b, c" } } as const;
    return {
      outcomes: [
        { position: 0, result: "failed", error, by: "b", wallMs: 0, cpuMs: 0, rssBytesMax: 0 },
      ],
    };
  }
}

function engineOver(durable: Durable, hosts: EngineDeps["hosts"]): ReturnType<typeof createEngine> {
  return createEngine({
    store: new FakeStore(durable),
    hosts,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    peer: "a",
    capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
  });
}

test("an input that no peer has any more breaks the run off without a failure, and is made again when it goes on", async () => {
  const durable = new Durable();
  const first = engineOver(durable, new ForgetfulHosts(durable));
  const handle = await first.start(FLOW, { params: {}, user: "ada" });
  await assert.rejects(handle.finished, (error) => isMfError(error, "CONTENT_MISSING"));
  const journaled = durable.journals.get(runText(handle.run)) ?? [];
  assert.deepEqual(
    journaled.map((entry) => entry.t),
    ["run-started", "tasks-succeeded"],
  );

  const hosts = new FakeHosts(STEPS);
  const resumed = await engineOver(durable, hosts).resume(handle.run);
  const result = await resumed.finished;
  assert.equal(result.state, "succeeded");
  assert.deepEqual([...hosts.executed.keys()].sort(), ["make", "use"]);
});
