import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createDaemonLogger, logPath } from "../../../../daemon/observe/daemon-logger.ts";
import {
  decodeLogLine,
  encodeLogLine,
  logEvent,
  logText,
} from "../../../../daemon/observe/log-line.ts";
import { followLines, tailLines } from "../../../../daemon/observe/log-reader.ts";
import { HandClock } from "../../../support/admission-fixture.ts";

function home(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "mf-observe-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const linesOf = (path: string): string[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");

test("an event is one JSON line with its time, level, name and fields", (t) => {
  const folder = home(t);
  const logger = createDaemonLogger({ home: folder, clock: new HandClock() });
  logger.info("peer-joined", { name: "anna", level: "forged", ms: 3 });
  logger.debug("unseen");
  logger.close();
  const [line = "", ...rest] = linesOf(logPath(folder));
  assert.deepEqual(rest, []);
  assert.deepEqual(JSON.parse(line), {
    at: "2027-01-15T08:00:00.000Z",
    level: "info",
    event: "peer-joined",
    name: "anna",
    ms: 3,
  });
  assert.equal(statSync(logPath(folder)).mode & 0o777, 0o600);
});

test("the log is put aside by size, and only so many files are kept", (t) => {
  const folder = home(t);
  const clock = new HandClock();
  const logger = createDaemonLogger({ home: folder, clock, bytesMax: 1000, filesMax: 3 });
  for (let i = 0; i < 60; i++) logger.warn("tick", { i, pad: "x".repeat(50) });
  logger.close();
  const path = logPath(folder);
  for (const name of [path, `${path}.1`, `${path}.2`]) assert.ok(statSync(name).size <= 1000);
  assert.equal(existsSync(`${path}.3`), false);
  const last = tailLines(path, 10).map((line) => decodeLogLine(line)?.fields["i"]);
  assert.deepEqual(last, [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
  assert.deepEqual(tailLines(path, 0), []);
  assert.ok(tailLines(path, 1000).length > 12);
});

test("a flood is counted instead of written", (t) => {
  const folder = home(t);
  const clock = new HandClock();
  const logger = createDaemonLogger({ home: folder, clock });
  for (let i = 0; i < 2000; i++) logger.warn("stranger");
  clock.advance(1000);
  logger.info("calm");
  logger.close();
  const events = linesOf(logPath(folder)).map((line) => decodeLogLine(line));
  assert.equal(events.length, 502);
  assert.deepEqual(events[500]?.fields, { lines: 1500 });
  assert.equal(events[501]?.event, "calm");
});

test("a log that cannot be written does not stop anything, and the loss is told", (t) => {
  const folder = home(t);
  const clock = new HandClock();
  const logs = join(folder, "logs");
  mkdirSync(join(logs, "mfd.log"), { recursive: true });
  const logger = createDaemonLogger({ home: folder, clock });
  logger.error("lost");
  logger.error("lost");
  rmSync(join(logs, "mfd.log"), { recursive: true });
  clock.advance(1000);
  logger.info("back");
  logger.close();
  const events = linesOf(logPath(folder)).map((line) => decodeLogLine(line));
  assert.deepEqual(
    events.map((logged) => [logged?.event, logged?.fields["lines"]]),
    [
      ["log-lost", 2],
      ["back", undefined],
    ],
  );
});

test("whatever is logged becomes JSON: errors, bytes, circles, bigints, huge values", () => {
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const fields = {
    error: new TypeError("no"),
    bytes: new Uint8Array(9),
    circle,
    big: 5n,
    f: () => 1,
  };
  const logged = decodeLogLine(encodeLogLine(logEvent(0, "warn", "odd", fields)));
  assert.equal((logged?.fields["error"] as { message?: string } | undefined)?.message, "no");
  assert.equal(logged?.fields["bytes"], "9 bytes");
  assert.equal(logged?.fields["big"], "5");
  const huge = encodeLogLine(logEvent(0, "warn", "odd", { text: "ä".repeat(100_000) }));
  assert.ok(Buffer.byteLength(huge) <= 16 * 1024);
  assert.equal(decodeLogLine(huge)?.event, "odd");
  for (const line of ["", "{", "null", '{"at":1}', '{"at":"x","level":"loud","event":"e"}']) {
    assert.equal(decodeLogLine(line), undefined);
  }
});

test("control characters of a field do not reach a terminal", () => {
  const text = logText(logEvent(0, "warn", "odd\u001B[2J", { name: "a\u001B]0;x\u0007\nb" }));
  assert.doesNotMatch(text, /\p{Cc}/u);
  assert.match(text, /^00:00:00.000 warn {2}odd/);
});

test("following shows what is added, over a rotation and half-written lines", async (t) => {
  const folder = home(t);
  const clock = new HandClock();
  const logger = createDaemonLogger({ home: folder, clock, bytesMax: 300 });
  const path = logPath(folder);
  logger.info("before");
  const seen: unknown[] = [];
  const abort = new AbortController();
  const followed = followLines(
    path,
    (lines) => seen.push(...lines.map((line) => decodeLogLine(line)?.fields["i"])),
    { clock, signal: abort.signal },
  );
  const look = async (): Promise<void> => {
    clock.advance(250);
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (let i = 0; i < 8; i++) {
    logger.info("tick", { i });
    await look();
  }
  logger.close();
  appendFileSync(path, '{"at":"x","level":"info",');
  await look();
  appendFileSync(path, '"event":"e","i":99}\n');
  await look();
  abort.abort();
  await followed;
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7, 99]);
});
