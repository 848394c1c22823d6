/** Durable puts and gets of the store beside one plain file a value (written, fsynced). Prints MiB/s, with --json as JSON. */
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import type { Cid } from "../../src/model/ids.ts";
import { openStore } from "../../src/store/open-store.ts";
import { sampleBytes } from "../../src/testing/conformance/store.ts";

const home = mkdtempSync(join(tmpdir(), "mf-bench-"));
const store = await openStore(home, {
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
});

interface Rates {
  readonly size: number;
  readonly put: number;
  readonly get: number;
  readonly again: number;
  readonly filePut: number;
  readonly fileGet: number;
}

const results: Rates[] = [];
for (const size of [4096, 256 * 1024, 1024 * 1024]) {
  const count = Math.min(200, Math.ceil((64 * 1024 * 1024) / size));
  const values = Array.from({ length: count }, (_, i) => sampleBytes(size, i + 1));
  const rate = (started: number): number =>
    (size * count) / 1048.576 / (performance.now() - started);
  let started = performance.now();
  const ids = await Promise.all(values.map(async (data) => (await store.putBytes(data, "raw")).id));
  const put = rate(started);
  started = performance.now();
  for (const id of ids) await store.read(id satisfies Cid);
  const get = rate(started);
  started = performance.now();
  for (const id of ids) await store.read(id);
  const again = rate(started);
  started = performance.now();
  for (const [i, data] of values.entries()) {
    const fd = openSync(join(home, `plain-${size}-${i}`), "w");
    writeSync(fd, data);
    fsyncSync(fd);
    closeSync(fd);
  }
  const filePut = rate(started);
  started = performance.now();
  for (let i = 0; i < count; i++) readFileSync(join(home, `plain-${size}-${i}`));
  const fileGet = rate(started);
  results.push({ size, put, get, again, filePut, fileGet });
}
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(results)}\n`);
else {
  for (const { size, put, get, again, filePut, fileGet } of results) {
    const [a, b, e, c, d] = [put, get, again, filePut, fileGet].map((rate) => rate.toFixed(0));
    process.stdout.write(
      `${size} bytes: store put ${a}, get ${b}, get again ${e}; plain files put ${c}, get ${d}\n`,
    );
  }
}
await store.close();
rmSync(home, { recursive: true });
