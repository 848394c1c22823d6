import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openStoreWhenFree } from "../../../src/client/open-when-free.ts";
import { systemClock } from "../../../src/env/clock.ts";
import { silentLogger } from "../../../src/env/logger.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { startControlServer } from "../../../src/client/control/control-server.ts";
import { isMfError } from "../../../src/model/errors.ts";
import type { ReadSide } from "../../../src/client/control/read-side.ts";
import { openStore } from "../../../src/store/open-store.ts";

const home = mkdtempSync(join(tmpdir(), "mf-opening-"));
const env = { clock: systemClock, random: systemRandom, logger: silentLogger };
after(() => rmSync(home, { recursive: true, force: true }));

test("a command that reads the home directly is waited for", async () => {
  const reading = await openStore(home, env);
  const opening = openStoreWhenFree(home, env);
  const isFirst = await Promise.race([opening, new Promise((resolve) => setImmediate(resolve))]);
  assert.equal(isFirst, undefined);
  await reading.close();
  await (await opening).close();
});

test("a holder that answers on its socket stays: the store is in use at once", async () => {
  const holding = await openStore(home, env);
  const server = await startControlServer(home, { readSide: {} as ReadSide, logger: silentLogger });
  await assert.rejects(openStoreWhenFree(home, env), (error) => isMfError(error, "STORE_IN_USE"));
  await server.close();
  await holding.close();
});
