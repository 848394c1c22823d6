import assert from "node:assert/strict";
import { test } from "node:test";
import { createDaemonSide, type DaemonSideParts } from "../../../../daemon/control/daemon-side.ts";
import { findPeer } from "../../../../daemon/control/find-peer.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import type { Cid } from "../../../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../../../src/model/peer.ts";
import { fakeDaemon } from "../../../support/fake-daemon.ts";

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
    exchange: { bring: async () => undefined },
    store: { putFile: async () => ({ id: "bafk" as Cid, bytes: 1 }) },
    submit: catalog.submit,
    admission: { invite: catalog.invite, revoke: async () => undefined },
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

test("a peer is revoked by its name, its id or a part of it", async () => {
  const revoked: PeerId[] = [];
  const admission = {
    ...parts().admission,
    revoke: async (peer: PeerId) => void revoked.push(peer),
  };
  const side = createDaemonSide(parts({ admission }));
  assert.deepEqual(await side.revoke("bob"), { peer: bob.id, name: "bob" });
  await side.revoke(bob.id);
  await side.revoke("CCCC2222");
  assert.deepEqual(revoked, [bob.id, bob.id, fresh.id]);
  await assert.rejects(side.revoke("eve"), (error) => isMfError(error, "PEER_NOT_FOUND"));
});

test("a part that fits several peers names them", () => {
  assert.throws(
    () => findPeer([ada, bob], "12D3KooW"),
    (error) =>
      isMfError(error, "PATHSPEC_AMBIGUOUS") && String(error.details["candidates"]).includes("bob"),
  );
  assert.throws(
    () => findPeer([bob, view("bob", "12D3KooWDDDD")], "bob"),
    (error) => isMfError(error, "PATHSPEC_AMBIGUOUS"),
  );
});

test("bringing tells how far it is and ends as interrupted where its reader left", async () => {
  const controller = new AbortController();
  const side = createDaemonSide(
    parts({
      exchange: {
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
