/** The main loop stays free while a large output is adopted, put or recovered: against the time the same walk takes on this thread. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { after, test } from "node:test";
import { systemClock } from "../../../src/env/clock.ts";
import { silentLogger } from "../../../src/env/logger.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { openStore } from "../../../src/store/open-store.ts";
import type { Store } from "../../../src/store/ports.ts";
import { walkSegment } from "../../../src/store/segment/segment-walk.ts";
import { SegmentWriter } from "../../../src/store/segment/segment-writer.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-loop-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const open = (home: string): Promise<Store> =>
  openStore(home, { clock: systemClock, random: systemRandom, logger: silentLogger });

/** Milliseconds this thread was busy during the work (not waiting for threads or the disk). */
async function busyDuring(work: () => Promise<unknown>): Promise<number> {
  const before = performance.eventLoopUtilization();
  await work();
  return performance.eventLoopUtilization(before).active;
}

test("a hundred megabytes are adopted, put and recovered without holding up the main loop", async () => {
  const data = new Uint8Array(new Float64Array(12_500_000).map((_, i) => Math.sin(i)).buffer);
  const home = join(dir, "home");
  const store = await open(home);
  // The thread starts once.
  await store.putBytes(data.subarray(0, 2_000_000), "raw");
  const writer = new SegmentWriter(join(store.scratchDir, "output.seg"));
  const id = writer.putContent("raw", data);
  const { file } = writer.finish();
  const started = performance.now();
  walkSegment(file);
  const walkMs = performance.now() - started;
  const adopting = await busyDuring(() => store.commit({ scratch: [file] }));
  assert.ok(adopting < walkMs / 2, `busy for ${adopting} ms; walking takes ${walkMs} ms`);
  assert.deepEqual(await store.has([id]), [true]);
  // As after SIGKILL: the segments are there, the index never heard of them.
  const killed = join(dir, "killed");
  cpSync(join(home, "store", "segments"), join(killed, "store", "segments"), { recursive: true });
  let recovered: Store | undefined;
  const recovering = await busyDuring(async () => (recovered = await open(killed)));
  assert.ok(recovering < walkMs / 2 + 40, `busy for ${recovering} ms; walking takes ${walkMs} ms`);
  assert.deepEqual(await recovered?.has([id]), [true]);
  await recovered?.close();
  await store.close();
});
