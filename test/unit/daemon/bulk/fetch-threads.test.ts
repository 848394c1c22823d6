import assert from "node:assert/strict";
import { test } from "node:test";
import { FetchThreads, THREAD_DIED } from "../../../../daemon/bulk/fetch-threads.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";

const REQUEST = {
  wants: [],
  peers: [],
  known: [],
  onSegment: () => undefined,
  onProgress: () => undefined,
  onDropped: () => undefined,
};

function threadsThatRun(code: string): FetchThreads {
  const deps = {
    clock: systemClock,
    logger: silentLogger,
    random: systemRandom,
    openLane: () => Promise.reject(new Error("no lanes here")),
    onSpeed: () => undefined,
  };
  const thread = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  return new FetchThreads(deps, { scratchDir: "/nowhere", stallMs: 1000, thread });
}

const LISTENING = `import { parentPort } from "node:worker_threads";`;

test("a thread that dies is told as what it is, not as content that nobody has", async () => {
  const threads = threadsThatRun(
    `${LISTENING} parentPort.on("message", () => { throw new Error("out of luck"); });`,
  );
  const { failure } = await threads.fetch(REQUEST).done;
  assert.equal(failure?.code, THREAD_DIED);
  assert.match(failure?.message ?? "", /out of luck/);
  await threads.stop();
});

test("a thread that is stopped is no failure", async () => {
  const threads = threadsThatRun(`${LISTENING} parentPort.on("message", () => undefined);`);
  const { done } = threads.fetch(REQUEST);
  await threads.stop();
  assert.deepEqual(await done, { missing: 0 });
});
