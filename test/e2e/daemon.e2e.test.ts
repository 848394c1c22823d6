import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../daemon/main.js", import.meta.url));

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The built `mfd` in a home of its own; what still runs there is ended with the test. */
class DaemonPlace {
  readonly home = mkdtempSync(join(tmpdir(), "mfd-e2e-"));

  constructor(t: TestContext) {
    t.after(async () => {
      await this.mfd("stop");
      rmSync(this.home, { recursive: true, force: true });
    });
  }

  start(...argv: string[]): ChildProcess {
    return this.startWith([], ...argv);
  }

  startWith(execArgv: readonly string[], ...argv: string[]): ChildProcess {
    return spawn(process.execPath, [...execArgv, MAIN, ...argv], {
      env: { ...process.env, MF_HOME: this.home, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async mfd(...argv: string[]): Promise<Outcome> {
    const child = this.start(...argv);
    let [out, err] = ["", ""];
    child.stdout?.on("data", (data: Buffer) => (out += data.toString()));
    child.stderr?.on("data", (data: Buffer) => (err += data.toString()));
    // "exit" and not "close": a daemon that kept a pipe open would be a fault that the next line shows.
    const [code] = (await once(child, "close")) as [number | null];
    return { code, out, err };
  }

  async status(): Promise<{ readonly pid: number; readonly id: string; readonly mesh: string }> {
    const { out } = await this.mfd("status", "--json");
    return JSON.parse(out) as { pid: number; id: string; mesh: string };
  }

  events(): string[] {
    const file = join(this.home, "logs", "mfd.log");
    const lines = readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "");
    return lines.map((line) => (JSON.parse(line) as { event: string }).event);
  }
}

test("start returns once the daemon answers; a second one is refused; stop waits until it has gone", async (t) => {
  const place = new DaemonPlace(t);
  const started = await place.mfd("start", "--name", "anna", "--listen", "127.0.0.1:0");
  assert.equal(started.code, 0, started.err);
  assert.match(started.out, /^mfd anna \(…\w{8}\) .*1 peer; home /);
  const { pid, id, mesh } = await place.status();
  const second = await place.mfd("start");
  assert.equal(second.code, 6);
  assert.match(second.err, /DAEMON_RUNNING.*process \d+/);
  assert.equal((await place.mfd("stop")).code, 0);
  assert.equal(existsSync(`/proc/${pid}/exe`), false);
  const again = await place.mfd("start", "--listen", "127.0.0.1:0", "--json");
  const status = JSON.parse(again.out) as { name: string; id: string; mesh: string };
  assert.deepEqual([status.name, status.id, status.mesh], ["anna", id, mesh], "it is who it was");
});

test("a daemon killed at once starts again with all it knew", async (t) => {
  const place = new DaemonPlace(t);
  await place.mfd("start", "--listen", "127.0.0.1:0");
  const before = await place.status();
  process.kill(before.pid, "SIGKILL");
  const again = await place.mfd("start", "--listen", "127.0.0.1:0");
  assert.equal(again.code, 0, again.err);
  const after = await place.status();
  assert.deepEqual([after.id, after.mesh], [before.id, before.mesh]);
  assert.equal(readFileSync(join(place.home, "identity", "boot"), "utf8"), "mf-boot-1 2\n");
});

test("in the foreground it logs where one looks, and SIGTERM ends it in order", async (t) => {
  const place = new DaemonPlace(t);
  const child = place.start("start", "--foreground", "--name", "fore", "--listen", "127.0.0.1:0");
  let err = "";
  await new Promise<void>((resolve) => {
    child.stderr?.on("data", (data: Buffer) => {
      err += data.toString();
      if (/^mfd fore .* home /m.test(err)) resolve();
    });
  });
  child.kill("SIGTERM");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 0);
  assert.match(err, / info {2}started /);
  assert.deepEqual(place.events().slice(-2), ["signalled", "stopped"]);
});

test("a start that fails tells the daemon's own error and exit code, and leaves nothing running", async (t) => {
  const place = new DaemonPlace(t);
  await place.mfd("start", "--listen", "127.0.0.1:0");
  await place.mfd("stop");
  writeFileSync(join(place.home, "mesh", "mesh.json"), "garbage");
  const { code, err } = await place.mfd("start", "--json");
  assert.equal(code, 7);
  assert.equal((JSON.parse(err) as { error: { code: string } }).error.code, "FILE_DAMAGED");
  assert.equal((await place.mfd("status")).code, 4);
  assert.equal(place.events().at(-1), "start-failed");
});

test("Ctrl-C while waiting ends the daemon that was being started", async (t) => {
  const place = new DaemonPlace(t);
  const child = place.start("start", "--listen", "127.0.0.1:0");
  const log = join(place.home, "logs", "mfd.out");
  while (!existsSync(log)) await new Promise((resolve) => setImmediate(resolve));
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number | null];
  // It may have answered just before.
  assert.ok(code === 130 || code === 0, String(code));
  if (code === 130) assert.equal((await place.mfd("status")).code, 4);
});

test("what nobody caught ends it with 70, in the log and on stderr, and the next start recovers", async (t) => {
  const place = new DaemonPlace(t);
  const fault = 'process.on("SIGUSR2", () => { throw new Error("boom"); })';
  const load = ["--import", `data:text/javascript,${encodeURIComponent(fault)}`];
  const child = place.startWith(load, "start", "--foreground", "--listen", "127.0.0.1:0");
  let err = "";
  await new Promise<void>((resolve) => {
    child.stderr?.on("data", (data: Buffer) => {
      err += data.toString();
      if (/^mfd .* home /m.test(err)) resolve();
    });
  });
  child.kill("SIGUSR2");
  const [code] = (await once(child, "exit")) as [number | null];
  assert.equal(code, 70);
  assert.match(err, /crashed: Error: boom/);
  assert.equal(place.events().at(-1), "crashed");
  const again = await place.mfd("start", "--listen", "127.0.0.1:0");
  assert.equal(again.code, 0, again.err);
});
