/** The built `mf` as a process, a real control socket, and behind it the catalog of one peer of three. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { createDaemonSide } from "../../../../daemon/control/daemon-side.ts";
import { logDirectoryOf, logFileOf } from "../../../../src/engine/run/log-file.ts";
import { runText } from "../../../../src/model/ids.ts";
import { catalogMesh, type CatalogMesh } from "../../../support/catalog-mesh.ts";
import { each, out, type FlowFixture } from "../../../support/engine-fixture.ts";
import { deferred, fakeDaemon, serveFakeDaemon } from "../../../support/fake-daemon.ts";
import { MfPlace, outcomeOf, type MfOutcome } from "../../../support/mf-process.ts";

const flow: FlowFixture = {
  steps: [
    { name: "load" },
    { name: "fit", inputs: { i: each(out("load", "list")) }, levels: ["fit"] },
  ],
};

interface Lab {
  readonly mesh: CatalogMesh;
  readonly place: MfPlace;
  readonly home: string;
  readonly mf: (...argv: string[]) => Promise<MfOutcome>;
}

/** `mf` asks ada. */
async function lab(t: TestContext, gate?: () => Promise<void>): Promise<Lab> {
  const mesh = await catalogMesh(
    ["ada", "bob", "cyd"],
    { load: () => ({ list: [1, 2, 3] }), fit: ({ i }) => ({ v: (i as number) * 2 }) },
    gate,
  );
  const ada = mesh.peer("ada");
  const plain = fakeDaemon();
  const side = createDaemonSide({
    mark: async () => [],
    collect: async () => ({ peers: [], unanswered: [] }),
    adopt: async () => undefined,
    warm: () => undefined,
    catalog: ada.catalog,
    directory: ada.directory,
    exchange: {
      spread: () => undefined,
      async bring(ids) {
        for (const id of ids) {
          const data = mesh.peer("bob").store.durable.contents.get(id);
          if (data !== undefined) ada.store.durable.contents.set(id, data);
        }
      },
    },
    store: ada.store,
    // The run begins on another peer than the one that was asked, as after a take-over.
    ownership: {
      submit: async (flowPackage, request) => ({
        handle: await mesh.peer("bob").engine.startPackage(flowPackage, request),
        copies: 1,
      }),
    },
    name: "ada",
    addresses: () => [],
    admission: {
      invite: () => ({ ticket: "mf1-x", expiresAt: 5 }),
      standingOf: (peer) => ({ peer, standing: "unknown" }),
      revoke: (name) => ({ peer: ada.id, name }),
    },
    status: plain.daemonStatus,
    drain: plain.drain,
    stop: plain.stop,
  });
  const daemon = await serveFakeDaemon(side);
  const place = new MfPlace();
  t.after(async () => {
    place.dispose();
    await daemon.close();
    mesh.close();
  });
  const { home } = daemon;
  return { mesh, place, home, mf: (...argv) => place.mf(argv, { MF_HOME: home }) };
}

test("a run of another peer is listed, shown, read and its logs told here", async (t) => {
  const { mesh, mf } = await lab(t);
  const bob = mesh.peer("bob");
  const { run } = await bob.engine.run(flow);
  mkdirSync(logDirectoryOf(bob.store.home, run), { recursive: true });
  const record = JSON.stringify({ t: 1, i: "1", a: 0, s: "out", m: "hello" });
  appendFileSync(logFileOf(bob.store.home, run, "fit"), `${record}\n`);

  assert.equal((await mf("ls", "-q")).out, `${runText(run)}\n`);
  const status = JSON.parse((await mf("status", "test/latest", "--json")).out) as {
    owner: string;
    steps: { name: string; peers: object }[];
  };
  assert.deepEqual(
    [status.owner, status.steps[1]],
    [
      "bob",
      {
        name: "fit",
        state: "succeeded",
        tasks: { total: 3, succeeded: 3, failed: 0, reused: 0, running: 0 },
        peers: { bob: 3 },
      },
    ],
  );
  const versions = JSON.parse((await mf("ls-versions", "test/fit", "--json")).out) as {
    peers: string[];
  }[];
  assert.deepEqual(
    versions.map((row) => row.peers),
    [["bob"], ["bob"], ["bob"]],
  );
  assert.equal((await mf("logs", "test/latest/fit[1]")).out, "bob fit[1]  hello\n");
  assert.deepEqual(JSON.parse((await mf("get", "test/latest/fit[1]/v")).out), 4);
  const all = JSON.parse((await mf("get", "test/latest/fit/v")).out) as object;
  assert.deepEqual(Object.values(all), [2, 4, 6]);
  const held = JSON.parse((await mf("ls-versions", "test/fit", "--json")).out) as {
    peers: string[];
  }[];
  assert.deepEqual(held[0]?.peers, ["ada", "bob"]);
});

test("a flow submitted here is followed while another peer owns it", async (t) => {
  const gate = deferred();
  const { place, home, mf } = await lab(t, () => gate.promise);
  const file = place.flow(
    "test.ts",
    `const test = flow("test", { n: p.number(1) });
const load = test.step("load", test.params, ({ n }) => ({ list: [n, 2, 3] }));
test.step("fit", { i: each(load.list) }, ({ i }) => ({ v: i * 2 }));
export default test;`,
  );
  const following = outcomeOf(place.start(["submit", file, "--no-check"], { MF_HOME: home }));
  for (;;) {
    const { out: text } = await mf("ls", "--state", "running", "-q");
    if (text !== "") break;
  }
  const peers = JSON.parse((await mf("peers", "--json")).out) as { name: string }[];
  assert.deepEqual(
    peers.map((row) => row.name),
    ["ada", "bob", "cyd"],
  );
  gate.resolve();
  const { code, out: text, err } = await following;
  assert.equal(code, 0, err);
  assert.match(err, /kept by one peer only/);
  assert.match(err, /succeeded fit: 3\/3/);
  assert.match(err, /tasks by peer: bob 4/);
  assert.match(text, /succeeded in .*: 4 tasks, 4 executed, 0 reused/);
});
