/** A process that commits until it is killed, printing a line for each acknowledged commit: see level-faults.test.ts. */
import { join } from "node:path";
import { cidOf } from "../../src/artifact/cid.ts";
import { systemClock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import type { RunId } from "../../src/model/ids.ts";
import { openStore } from "../../src/store/open-store.ts";
import { SegmentWriter } from "../../src/store/segment/segment-writer.ts";
import { sampleBytes, sampleFact } from "../../src/testing/conformance/store.ts";

const env = { clock: systemClock, random: systemRandom, logger: silentLogger };
const store = await openStore(process.argv[2] ?? "", env);
const run = { flow: "f", id: "r" as RunId };

for (let i = 0; i < 5000; i++) {
  const data = sampleBytes(100, i + 1);
  const small = cidOf("raw", data);
  const writer = new SegmentWriter(join(store.scratchDir, `${i}.seg`));
  const large = writer.putContent("raw", sampleBytes(30_000, i + 1));
  writer.finish();
  await store.commit({
    inline: [{ id: small, data }],
    scratch: [writer.path],
    facts: [sampleFact(`k${i}`, large)],
    journal: { run, entries: [{ t: "run-finished", at: i, state: "succeeded" }] },
  });
  process.stdout.write(`k${i} ${small} ${large}\n`);
}
