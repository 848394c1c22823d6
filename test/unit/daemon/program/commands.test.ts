import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Terminal } from "../../../../cli/output/terminal.ts";
import type { DaemonContext } from "../../../../daemon/daemon-context.ts";
import { runDaemonProgram } from "../../../../daemon/program.ts";
import type { DaemonSide, InviteRequest } from "../../../../src/client/control/daemon-side.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import type { ErrorCode } from "../../../../src/model/error-table.ts";
import { isMfError, MfError } from "../../../../src/model/errors.ts";
import { fakeDaemon, serveFakeDaemon, untilAborted } from "../../../support/fake-daemon.ts";

interface Shell {
  readonly out: string[];
  readonly err: string[];
  mfd(...argv: string[]): Promise<number>;
}

function shellIn(home: string): Shell {
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    isOutTty: false,
    isLive: false,
    colourOut: false,
    colourErr: false,
    width: () => 80,
    rows: () => 24,
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
  };
  const context: DaemonContext = {
    terminal,
    home,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    version: "9.9.9",
    mainFile: "/nowhere/main.js",
    exit: () => assert.fail("a command ended the process"),
  };
  return { out, err, mfd: (...argv) => runDaemonProgram(argv, context) };
}

async function withFake(t: TestContext, side: Partial<DaemonSide> = {}): Promise<Shell> {
  const place = await serveFakeDaemon(fakeDaemon(side));
  t.after(() => place.close());
  return shellIn(place.home);
}

function emptyHome(t: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), "mf-program-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

async function fails(promise: Promise<number>, code: ErrorCode, message = /./): Promise<void> {
  await assert.rejects(promise, (error) => isMfError(error, code) && message.test(error.message));
}

test("invite prints the ticket and nothing else, and passes roles and life on", async (t) => {
  const asked: InviteRequest[] = [];
  const shell = await withFake(t, {
    invite: async (request) => {
      asked.push(request);
      return { ticket: "mft1abc", expiresAt: 7 };
    },
  });
  assert.equal(await shell.mfd("invite", "--roles", "work,store", "--ttl", "10m"), 0);
  assert.equal(await shell.mfd("invite", "--json"), 0);
  assert.deepEqual(shell.out, ["mft1abc\n", '{"ticket":"mft1abc","expiresAt":7}\n']);
  assert.deepEqual(shell.err, []);
  assert.deepEqual(asked, [{ roles: ["work", "store"], ttlMs: 600_000 }, {}]);
  await fails(shell.mfd("invite", "--roles", "boss"), "USAGE", /"boss"/);
  await fails(shell.mfd("invite", "--ttl", "soon"), "USAGE", /90s/);
});

test("revoke says whom it threw out, and passes on why it did not", async (t) => {
  const shell = await withFake(t, {
    revoke: async (peer) => {
      if (peer !== "bob") throw new MfError("PEER_NOT_FOUND", { peer });
      return { peer: "12D3KooWbob" as never, name: "bob" };
    },
  });
  assert.equal(await shell.mfd("revoke", "bob"), 0);
  assert.deepEqual(shell.out, ["revoked bob (12D3KooWbob)\n"]);
  await fails(shell.mfd("revoke", "eve"), "PEER_NOT_FOUND", /eve/);
  await fails(shell.mfd("revoke"), "USAGE", /argument/);
});

test("status as JSON has the fields that programs read", async (t) => {
  const shell = await withFake(t);
  await shell.mfd("status", "--json");
  const status = JSON.parse(shell.out.join("")) as Record<string, unknown>;
  for (const name of ["pid", "name", "id", "listen", "peers", "runs", "store"]) {
    assert.ok(name in status, name);
  }
  assert.deepEqual(status["store"], { bytes: 1, freeBytes: 2, state: "rw" });
  await shell.mfd("status");
  assert.match(shell.out.at(-1) ?? "", /^mfd ada \(12D3KooWada\), process 7, up /);
});

test("a second daemon on one home is refused and told of the first", async (t) => {
  const shell = await withFake(t);
  await fails(shell.mfd("start"), "DAEMON_RUNNING", /process 7/);
  await fails(shell.mfd("start", "--foreground"), "DAEMON_RUNNING");
});

test("what is wrong with start is told before anything is started", async (t) => {
  const shell = shellIn(emptyHome(t));
  await fails(shell.mfd("start", "--cpus", "none"), "USAGE", /--cpus/);
  await fails(shell.mfd("start", "--join", "mft1abc"), "TICKET_INVALID");
  await fails(shell.mfd("start", "--listen", "everywhere"), "USAGE", /--listen/);
  await fails(shell.mfd("start", "--from-parent"), "USAGE");
  await fails(shell.mfd("frobnicate"), "USAGE", /frobnicate/);
  assert.deepEqual([shell.out, shell.err], [[], []]);
});

test("without a daemon every command that needs one says so, with exit code 4", async (t) => {
  const shell = shellIn(emptyHome(t));
  for (const argv of [["invite"], ["revoke", "x"], ["status"], ["drain"], ["stop"], ["logs"]]) {
    await fails(shell.mfd(...argv), "DAEMON_MISSING");
  }
  assert.equal(new MfError("DAEMON_MISSING", {}).exitCode, 4);
});

test("logs are there without a daemon: readable, or as they are", async (t) => {
  const home = emptyHome(t);
  mkdirSync(join(home, "logs"));
  const line = '{"at":"2027-01-15T08:00:00.000Z","level":"warn","event":"odd","n":1}';
  writeFileSync(join(home, "logs", "mfd.log"), `half a li\n${line}\n`);
  const shell = shellIn(home);
  await shell.mfd("logs");
  await shell.mfd("logs", "--json", "--tail", "1");
  assert.deepEqual(shell.out, ["08:00:00.000 warn  odd n=1\n", `${line}\n`]);
});

test("stop waits for a process that does not go, and no longer than it was told", async (t) => {
  const base = await fakeDaemon().daemonStatus();
  const shell = await withFake(t, {
    daemonStatus: async () => ({ ...base, pid: process.pid }),
  });
  await fails(shell.mfd("stop", "--timeout", "200ms"), "PEER_TIMEOUT", /200 ms/);
});

test("drain ends when nothing runs any more", async (t) => {
  const shell = await withFake(t, {
    drain: async (onEvent) => onEvent({ attempts: 2, runs: 1 }),
  });
  assert.equal(await shell.mfd("drain", "--json"), 0);
  assert.deepEqual(shell.out, ['{"drained":true}\n']);
});

test("help and version: each command is listed, with examples", async (t) => {
  const shell = shellIn(emptyHome(t));
  assert.equal(await shell.mfd(), 0);
  const help = shell.out.join("");
  for (const name of ["start", "invite", "revoke", "status", "logs", "drain", "stop"]) {
    assert.match(help, new RegExp(`^ {2}${name} `, "m"));
  }
  assert.match(help, /mfd start --join mft1/);
  await shell.mfd("--version");
  assert.equal(shell.out.at(-1), "9.9.9\n");
});

test("Ctrl-C ends the waiting for a drain, and says that the drain goes on", async (t) => {
  const { mfd, out, err } = await withFake(t, {
    drain(_onEvent, signal) {
      process.emit("SIGINT");
      return untilAborted(signal, new MfError("INTERRUPTED"));
    },
  });
  assert.equal(await mfd("drain"), 130);
  assert.deepEqual(out, []);
  assert.match(err.join(""), /^draining goes on: /);
});

test("completion is a script of each shell that knows commands and options, none that is hidden", async (t) => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { mfd, out } = shellIn(emptyHome(t));
    assert.equal(await mfd("completion", shell), 0);
    const script = out.join("");
    for (const word of ["start", "revoke", "store-max", "mf peers"])
      assert.ok(script.includes(word), `${shell} lacks ${word}`);
    assert.doesNotMatch(script, /from-parent/);
  }
});
