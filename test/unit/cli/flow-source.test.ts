/** A flow that is read for a command that listens for Ctrl-C. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { detectTerminal } from "../../../cli/output/terminal.ts";
import { loadUnlessInterrupted } from "../../../cli/flow-source.ts";
import { createStderrLogger } from "../../../cli/stderr-logger.ts";
import { systemClock } from "../../../src/env/clock.ts";
import { systemRandom } from "../../../src/env/random.ts";
import { isMfError } from "../../../src/model/errors.ts";

/** How loading a file that is no module ends. */
async function loadBroken(t: TestContext, isAsked: boolean): Promise<unknown> {
  const home = mkdtempSync(join(tmpdir(), "mf-source-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const file = join(home, "broken.ts");
  writeFileSync(file, "export default (");
  const terminal = detectTerminal();
  const logger = createStderrLogger(terminal);
  const context = { terminal, home, clock: systemClock, random: systemRandom, logger };
  const interrupt = { isAsked: () => isAsked, onAsked: () => undefined, stop: () => undefined };
  const options = { params: {}, validateParams: true, checkTypes: false, interrupt };
  return loadUnlessInterrupted(context, file, options).catch((error: unknown) => error);
}

test("what the compilers say when Ctrl-C ends them is not told as the flow's fault", async (t) => {
  assert.ok(isMfError(await loadBroken(t, true), "INTERRUPTED"));
  assert.ok(isMfError(await loadBroken(t, false), "FLOW_BUILD_FAILED"));
});
