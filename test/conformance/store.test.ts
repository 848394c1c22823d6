import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { systemClock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import { openMemoryStore } from "../../src/store/memory/memory-store.ts";
import { openStore } from "../../src/store/open-store.ts";
import { storeConformance } from "../../src/testing/conformance/store.ts";

const dir = mkdtempSync(join(tmpdir(), "mf-store-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let homes = 0;

storeConformance("memory", async () => openMemoryStore());
storeConformance("level", () => {
  const env = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return openStore(join(dir, `home-${homes++}`), env);
});
