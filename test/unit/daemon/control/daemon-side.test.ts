import assert from "node:assert/strict";
import { test } from "node:test";
import { createDaemonSide, type DaemonSideParts } from "../../../../daemon/control/daemon-side.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../../../src/model/peer.ts";
import { cidOf } from "../../../../src/artifact/cid.ts";
import { encodeValue } from "../../../../src/artifact/codec.ts";
import type { RunRequest } from "../../../../src/engine/run-api.ts";
import { flowPackage } from "../../../support/engine-fixture.ts";
import { fakeDaemon, RUN, RUN_REF } from "../../../support/fake-daemon.ts";

const view = (name: string, id: string, more: Partial<PeerView> = {}): PeerView => ({
  id: id as PeerId,
  isSelf: false,
  state: "alive",
  addresses: [],
  profile: { name, version: "0.2.0", roles: ["work"], labels: {}, platform: "linux", abi: "115" },
  isConnected: true,
  ...more,
});
const bob = view("bob", "12D3KooWBBBB1111");
const { profile: _unsaid, ...fresh } = view("", "12D3KooWCCCC2222");
const ada = view("ada", "12D3KooWAAAA3333", { isSelf: true });

function parts(more: Partial<DaemonSideParts> = {}): DaemonSideParts {
  const catalog = fakeDaemon();
  return {
    catalog,
    directory: {
      self: ada.id,
      peers: () => [fresh, bob, ada],
      get: () => undefined,
      subscribe: () => () => undefined,
    },
    exchange: { bring: async () => undefined, spread: () => undefined },
    store: { putFile: async () => ({ id: "bafk" as Cid, bytes: 1 }) },
    ownership: { submit: async () => ({ handle: { run: RUN_REF }, copies: 2 }) },
    mark: async () => [],
    collect: async () => ({ peers: [], unanswered: [] }),
    adopt: async () => undefined,
    warm: () => undefined,
    name: "ada",
    addresses: () => ["/ip4/10.0.0.1/tcp/4001"],
    admission: {
      invite: () => ({ ticket: "mf1-x", expiresAt: 5 }),
      standingOf: (peer) => ({ peer, standing: "unknown" }),
      revoke: (name) => ({ peer: bob.id, name }),
    },
    status: catalog.daemonStatus,
    drain: catalog.drain,
    stop: catalog.stop,
    ...more,
  };
}

test("peers come with this one first, and one that said nothing yet has only its state", async () => {
  const rows = await createDaemonSide(parts()).peers();
  assert.deepEqual(
    rows.map((row) => [row.name, row.self, row.state, row.cpus, row.version]),
    [
      ["ada", true, "alive", 0, "0.2.0"],
      ["bob", false, "alive", 0, "0.2.0"],
      ["CCCC2222", false, "alive", 0, ""],
    ],
  );
});

test("who is about to submit has the step hosts started", async () => {
  let warmed = 0;
  const side = createDaemonSide(parts({ warm: () => void warmed++ }));
  await side.prepare();
  assert.equal(warmed, 1);
});

test("a submitted run gets the ids of the bytes that came, and this peer for an owner", async () => {
  let got: RunRequest | undefined;
  const side = createDaemonSide(
    parts({
      ownership: {
        async submit(_flow, request) {
          got = request;
          return { handle: { run: RUN_REF }, copies: 3 };
        },
      },
    }),
  );
  const data = encodeValue(4).data;
  const answer = await side.submit({
    flowPackage: flowPackage({ steps: [{ name: "load" }] }),
    params: { n: { data, text: "4" } },
    user: "ada",
    seed: "7",
    options: { noCache: true, labels: ["gpu"] },
  });
  assert.deepEqual(answer, { run: RUN, owner: "ada", copies: 3 });
  assert.deepEqual(got, {
    params: { n: { id: cidOf("messagepack", data), data, text: "4" } },
    user: "ada",
    seed: "7",
    noCache: true,
    labels: ["gpu"],
  });
});

test("what a run was given goes with it: sources as they came, files to another peer", async () => {
  let got: RunRequest | undefined;
  const spread: unknown[] = [];
  const side = createDaemonSide(
    parts({
      exchange: {
        bring: async () => undefined,
        spread: (...given) => void spread.push(given),
      },
      ownership: {
        async submit(_flow, request) {
          got = request;
          return { handle: { run: RUN_REF }, copies: 1 };
        },
      },
    }),
  );
  const file = cidOf("raw", Buffer.from("a"));
  const sources = {
    "file:a.csv": { data: encodeValue("a").data, version: file, files: 1, bytes: 1 },
  };
  await side.submit({
    flowPackage: flowPackage({ steps: [{ name: "load" }] }),
    params: {},
    user: "ada",
    options: {},
    sources,
    contents: [file],
    versions: { "f/latest/a/b": file },
  });
  assert.deepEqual(spread, [[[file], 2]]);
  assert.deepEqual(got, { params: {}, user: "ada", sources, versions: { "f/latest/a/b": file } });
});

test("tags of a submission are checked before it begins and given when it has", async () => {
  const marked: unknown[] = [];
  let runs = 0;
  const side = createDaemonSide(
    parts({
      mark: async (changes) => {
        marked.push(...changes);
        return [];
      },
      ownership: {
        async submit() {
          runs++;
          return { handle: { run: RUN_REF }, copies: 1 };
        },
      },
    }),
  );
  const request = { params: {}, user: "ada", options: {} };
  const flow = flowPackage({ steps: [{ name: "load" }] });
  await assert.rejects(
    side.submit({ ...request, flowPackage: flow, tags: ["ok", "user:bob"] }),
    (error) => isMfError(error, "TAG_RESERVED"),
  );
  assert.equal(runs, 0);
  await side.submit({ ...request, flowPackage: flow, tags: ["best"] });
  assert.deepEqual(marked, [{ kind: "tag", on: RUN, name: "best", value: "", user: "ada" }]);
});

test("a ticket has the addresses of this peer", async () => {
  const asked: unknown[] = [];
  const admission = {
    ...parts().admission,
    invite: (...given: unknown[]) => {
      asked.push(...given);
      return { ticket: "t", expiresAt: 1 };
    },
  };
  await createDaemonSide(parts({ admission })).invite({ roles: ["work"] });
  assert.deepEqual(asked, [["/ip4/10.0.0.1/tcp/4001"], { roles: ["work"] }]);
});

test("bringing tells how far it is and ends as interrupted where its reader left", async () => {
  const controller = new AbortController();
  const side = createDaemonSide(
    parts({
      exchange: {
        spread: () => undefined,
        async bring(_ids, options) {
          options?.onProgress?.({ bytes: 1, total: 2 });
          if (options?.signal === controller.signal) controller.abort();
        },
      },
    }),
  );
  const seen: unknown[] = [];
  const take = (progress: unknown): void => void seen.push(progress);
  await side.bring([], take, new AbortController().signal);
  assert.deepEqual(seen, [{ bytes: 1, total: 2 }]);
  await assert.rejects(side.bring([], take, controller.signal), (error) =>
    isMfError(error, "INTERRUPTED"),
  );
});
