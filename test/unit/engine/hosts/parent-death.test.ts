import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { delay, systemClock } from "../../../../src/env/clock.ts";

const PROGRAM = fileURLToPath(new URL("parent-program.js", import.meta.url));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a host in an endless loop dies with its parent, even by SIGKILL", async () => {
  const parent = spawn(process.execPath, [PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = (await once(parent.stdout, "data")) as [Buffer];
  const host = Number(text.toString());
  assert.ok(isAlive(host));
  parent.kill("SIGKILL");
  await once(parent, "exit");
  // A dead process whose new parent has not looked at it yet still counts as alive for a moment.
  for (let tries = 0; isAlive(host) && tries < 250; tries += 1) await delay(systemClock, 20);
  assert.equal(isAlive(host), false);
});
