import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { connectControl, connectDaemon } from "../../../../src/client/control/control-client.ts";
import { controlPath } from "../../../../src/client/control/control-path.ts";
import {
  CONTROL_VERSION,
  encodeFrame,
  REQUEST_BYTES_MAX,
  UNSENT_BYTES_MAX,
} from "../../../../src/client/control/control-protocol.ts";
import { startControlServer } from "../../../../src/client/control/control-server.ts";
import type {
  MarkChange,
  DaemonSide,
  SubmitRequest,
} from "../../../../src/client/control/daemon-side.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { isMfError, MfError } from "../../../../src/model/errors.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { Mark } from "../../../../src/model/mark.ts";
import {
  deferred,
  fakeDaemon,
  PROGRESS,
  RESULT,
  RUN,
  serveFakeDaemon,
  SUMMARY,
  untilAborted,
} from "../../../support/fake-daemon.ts";

async function connected(
  t: TestContext,
  more: Partial<DaemonSide> = {},
): Promise<{ side: DaemonSide; home: string; close(): void }> {
  const place = await serveFakeDaemon(fakeDaemon(more));
  t.after(() => place.close());
  const connection = await connectDaemon(place.home);
  assert.ok(connection !== undefined);
  t.after(() => connection.close());
  return { ...connection, home: place.home };
}

const never = new AbortController().signal;

test("a daemon's answers cross the socket as they are", async (t) => {
  const { side } = await connected(t);
  assert.deepEqual(await side.runs(), [SUMMARY]);
  assert.equal((await side.daemonStatus()).name, "ada");
  assert.deepEqual(await side.locate(["bafk" as Cid]), [undefined]);
  assert.equal((await side.peers()).length, 2);
});

test("the socket is its user's own", { skip: process.platform === "win32" }, async (t) => {
  const { home } = await connected(t);
  assert.equal(statSync(controlPath(home)).mode & 0o777, 0o600);
});

test("events of a stream arrive in order before its result", async (t) => {
  const { side } = await connected(t, {
    async watch(_run, onEvent) {
      for (let at = 0; at < 500; at++)
        await onEvent({ t: "progress", owner: `o${at}`, progress: PROGRESS });
      return RESULT;
    },
  });
  const owners: string[] = [];
  const result = await side.watch(
    RUN,
    (event) => void (event.t === "progress" && owners.push(event.owner)),
    never,
  );
  assert.deepEqual(
    owners,
    Array.from({ length: 500 }, (_, at) => `o${at}`),
  );
  assert.deepEqual(result, RESULT);
});

test("long lists come in pages, and the daemon does other things in between", async (t) => {
  const marks = Array.from({ length: 3_000 }, (_, at): Mark => {
    return { kind: "tag", on: `sweep/r${at}`, name: "best", value: "", at, by: "ada" };
  });
  let turns = 0;
  const { side } = await connected(t, {
    async marks() {
      const turn = (): void => void (turns++ < 1_000 && setImmediate(turn));
      setImmediate(turn);
      return marks;
    },
  });
  assert.deepEqual(await side.marks(), marks);
  assert.ok(turns >= marks.length / 250, `${turns} turns`);
});

test("a cancelled question ends on both sides and the connection goes on", async (t) => {
  const ended = deferred();
  const { side } = await connected(t, {
    async watch(_run, onEvent, signal) {
      await onEvent({ t: "progress", owner: "ada", progress: PROGRESS });
      return untilAborted(signal, new MfError("INTERRUPTED")).finally(() => ended.resolve());
    },
  });
  const controller = new AbortController();
  const watching = side.watch(RUN, () => controller.abort(), controller.signal);
  await assert.rejects(watching, (error) => isMfError(error, "INTERRUPTED"));
  await ended.promise;
  assert.equal((await side.peers()).length, 2);
});

test("a stream ends at its source when the reader's connection does", async (t) => {
  const ended = deferred();
  const { side, close } = await connected(t, {
    async watch(_run, onEvent, signal) {
      await onEvent({ t: "progress", owner: "ada", progress: PROGRESS });
      return untilAborted(signal, new MfError("INTERRUPTED")).finally(() => ended.resolve());
    },
  });
  const watching = side.watch(RUN, () => close(), never);
  await assert.rejects(watching, (error) => isMfError(error, "CONTROL_LOST"));
  await ended.promise;
});

test("a daemon that ends in mid-stream is CONTROL_LOST for whoever watches", async () => {
  const place = await serveFakeDaemon(
    fakeDaemon({
      async watch(_run, onEvent, signal) {
        await onEvent({ t: "progress", owner: "ada", progress: PROGRESS });
        return untilAborted(signal, new MfError("INTERRUPTED"));
      },
    }),
  );
  const connection = await connectDaemon(place.home);
  assert.ok(connection !== undefined);
  const watching = connection.side.watch(RUN, () => void place.close(), never);
  await assert.rejects(watching, (error) => isMfError(error, "CONTROL_LOST"));
  connection.close();
});

test("a slow reader holds a producer up that waits, and loses nothing", async (t) => {
  const piece = "x".repeat(64 * 1024);
  const gate = deferred();
  const held = deferred();
  let sent = 0;
  const { side } = await connected(t, {
    async logs(_request, onEvent) {
      for (; sent < 400; sent++) {
        const room = onEvent([
          {
            peer: "ada",
            step: "s",
            index: [],
            attempt: 0,
            at: sent,
            stream: "stdout",
            text: piece,
          },
        ]);
        if (room instanceof Promise) held.resolve();
        await room;
      }
    },
  });
  const seen: number[] = [];
  const reading = side.logs(
    { run: RUN, follow: false },
    async ([line]) => {
      seen.push(line?.at ?? -1);
      await gate.promise;
    },
    never,
  );
  await held.promise;
  assert.ok(sent < 400, "the producer was not held up");
  gate.resolve();
  await reading;
  assert.deepEqual(
    seen,
    Array.from({ length: 400 }, (_, at) => at),
  );
});

test("a producer that does not wait loses events to a slow reader and not the daemon's memory", async (t) => {
  const piece = "x".repeat(1024 * 1024);
  const gate = deferred();
  const produced = deferred();
  const { side } = await connected(t, {
    async logs(_request, onEvent) {
      const line = {
        peer: "ada",
        step: "s",
        index: [],
        attempt: 0,
        at: 0,
        stream: "stdout" as const,
        text: piece,
      };
      for (let at = 0; at < 60; at++) void onEvent([line]);
      produced.resolve();
    },
  });
  let bytes = 0;
  const reading = side.logs(
    { run: RUN, follow: false },
    async ([line]) => {
      bytes += line?.text.length ?? 0;
      await gate.promise;
    },
    never,
  );
  await produced.promise;
  gate.resolve();
  await reading;
  assert.ok(bytes > 0 && bytes < UNSENT_BYTES_MAX + 8 * piece.length, `${bytes}`);
});

test("many questions wait at once and each gets its own answer", async (t) => {
  const gate = deferred();
  const { side } = await connected(t, {
    async run(run) {
      await gate.promise;
      return { ...SUMMARY, file: run };
    },
  });
  const asked = Array.from({ length: 60 }, (_, at) => side.run(`demo/${at}`));
  gate.resolve();
  assert.deepEqual(
    (await Promise.all(asked)).map((summary) => summary.file),
    Array.from({ length: 60 }, (_, at) => `demo/${at}`),
  );
});

const submitRequest = (bundle: string): SubmitRequest => ({
  flowPackage: {
    graph: { name: "demo", steps: [{ name: "load" }] },
    file: "/demo.ts",
    bundleId: "b0",
    bundle,
    steps: { load: { codeId: "c0" } },
  } as never,
  params: { n: { data: new Uint8Array([1, 2, 255]), text: "3" } },
  user: "ada",
  options: { noCache: true, labels: ["gpu=yes"] },
});

test("a submitted flow may be much larger than a question, bytes included", async (t) => {
  let got: SubmitRequest | undefined;
  const { side } = await connected(t, {
    async submit(request) {
      got = request;
      return { run: RUN, owner: "ada", copies: 1 };
    },
  });
  const bundle = "b".repeat(8 * REQUEST_BYTES_MAX);
  assert.equal((await side.submit(submitRequest(bundle))).run, RUN);
  assert.equal(got?.flowPackage.bundle.length, bundle.length);
  assert.deepEqual(got?.params["n"]?.data, new Uint8Array([1, 2, 255]));
});

for (const [what, wrong] of [
  ["a package that is none", { ...submitRequest(""), flowPackage: 3 }],
  ["a parameter without bytes", { ...submitRequest(""), params: { n: { data: "x", text: "" } } }],
  ["a limit of nothing", { ...submitRequest(""), options: { maxTasks: 0 } }],
  ["steps that are none", { ...submitRequest(""), options: { rerun: [3] } }],
  ["results without keys", { ...submitRequest(""), options: { results: [{ result: "x" }] } }],
  [
    "too many results",
    {
      ...submitRequest(""),
      options: { results: Array.from({ length: 2049 }, () => ({ memoKey: "a", result: "b" })) },
    },
  ],
  ["a version that is no content", { ...submitRequest(""), versions: { "f/latest/a.x": "b" } }],
  ["an origin of no kind", { ...submitRequest(""), origin: { run: RUN, how: "again" } }],
  ["options that are none", { ...submitRequest(""), options: null }],
] as const) {
  test(`submit refuses ${what}`, async (t) => {
    const { side } = await connected(t);
    await assert.rejects(side.submit(wrong as never), (error) => isMfError(error, "USAGE"));
  });
}

test("an operating error keeps its code and its details", async (t) => {
  const { side } = await connected(t, {
    cancel: async (run) => Promise.reject(new MfError("RUN_NOT_FOUND", { run })),
  });
  await assert.rejects(
    side.cancel(RUN),
    (error) => isMfError(error, "RUN_NOT_FOUND") && error.details["run"] === RUN,
  );
});

async function rawSocket(t: TestContext): Promise<Socket> {
  const { home } = await connected(t);
  const socket = connect(controlPath(home));
  t.after(() => socket.destroy());
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

for (const [what, bytes] of [
  ["a line that is no JSON", "hello\n"],
  ["a list", "[1,2]\n"],
  ["a question without a name", '{"v":2,"id":1,"params":[]}\n'],
  ["a too long question", `{"v":2,"id":1,"method":"run","params":["${"x".repeat(2 ** 20)}"]}\n`],
  [
    "the same number twice",
    encodeFrame({ v: CONTROL_VERSION, id: 1, method: "runs", params: [] }).repeat(2),
  ],
] as const) {
  test(`${what} ends the connection`, async (t) => {
    const socket = await rawSocket(t);
    socket.write(bytes);
    socket.resume();
    await once(socket, "close");
  });
}

for (const [what, frame] of [
  ["another version", { v: 1, id: 1, method: "runs", params: [] }],
  ["an unknown name", { v: CONTROL_VERSION, id: 1, method: "constructor", params: [] }],
] as const) {
  test(`${what} is answered NOT_AVAILABLE`, async (t) => {
    const socket = await rawSocket(t);
    socket.write(encodeFrame(frame));
    const [chunk] = (await once(socket, "data")) as [Buffer];
    assert.match(chunk.toString(), /"error":\{"code":"NOT_AVAILABLE"/);
  });
}

test("the end of a question that nobody asked is passed over", async (t) => {
  const socket = await rawSocket(t);
  socket.write(encodeFrame({ v: CONTROL_VERSION, id: 9, cancel: true }));
  socket.write(encodeFrame({ v: CONTROL_VERSION, id: 1, method: "peers", params: [] }));
  const [chunk] = (await once(socket, "data")) as [Buffer];
  assert.match(chunk.toString(), /"result":\[/);
});

test("an `mf run` answers readers and is no daemon", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "mf-control-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const server = await startControlServer(home, { readSide: fakeDaemon(), logger: silentLogger });
  t.after(() => server.close());
  const control = await connectControl(home);
  assert.deepEqual(await control?.readSide.runs(), [SUMMARY]);
  // One of a version that writes no marks says so.
  await assert.rejects(control?.mark([]) ?? Promise.resolve(), (error) =>
    isMfError(error, "NOT_AVAILABLE"),
  );
  control?.close();
  assert.equal(await connectDaemon(home), undefined);
});

test("beside an `mf run` marks are written through it", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "mf-control-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const got: MarkChange[] = [];
  const mark = async (changes: readonly MarkChange[]): Promise<readonly Mark[]> => {
    got.push(...changes);
    return [];
  };
  const readSide = fakeDaemon();
  const server = await startControlServer(home, { readSide, mark, logger: silentLogger });
  t.after(() => server.close());
  const control = await connectControl(home);
  t.after(() => control?.close());
  const change = { kind: "tag", on: "demo/1", name: "best", user: "ada" } as const;
  await control?.mark([{ ...change, value: "" }, change]);
  assert.deepEqual(got, [{ ...change, value: "" }, change]);
  for (const wrong of [{ ...change, kind: "crown" }, { ...change, user: "u".repeat(200) }, 7])
    await assert.rejects(control?.mark([wrong as MarkChange]) ?? Promise.resolve(), (error) =>
      isMfError(error, "USAGE"),
    );
});

test("where nobody listens there is no connection", async () => {
  assert.equal(await connectDaemon(join(tmpdir(), "mf-nobody-here")), undefined);
});
