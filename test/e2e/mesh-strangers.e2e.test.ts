/** Who may not join: bad tickets, revoked peers, strangers with whatever bytes. The mesh goes on unharmed. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { eventuallyAsync, MeshPeer, MeshPlace } from "../support/mesh-place.ts";
import { errorOf } from "../support/mf-process.ts";

async function portOf(peer: MeshPeer): Promise<number> {
  const { out } = await peer.mfd(["status", "--json"]);
  const { listen } = JSON.parse(out) as { listen: string[] };
  const port = /\/tcp\/(\d+)/.exec(listen.join(" "))?.[1];
  assert.ok(port !== undefined, out);
  return Number(port);
}

describe("strangers and bad tickets", () => {
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(2);
  });
  after(() => place.dispose());

  /** A daemon that has never been started. */
  const fresh = (name: string): MeshPeer => {
    const peer = new MeshPeer(place.root, name, ["--cpus", "2"]);
    place.peers.push(peer);
    return peer;
  };
  const refused = async (peer: MeshPeer, ticket: string): Promise<[number | null, string]> => {
    const argv = ["start", "--foreground", "--json", "--listen", "127.0.0.1:0", "--join", ticket];
    const outcome = await peer.mfd(argv);
    return [outcome.code, errorOf(outcome).code];
  };

  test("truncated, wrong and used tickets are refused with what is wrong", async () => {
    const ticket = await place.ticket();
    const c = fresh("c");
    assert.deepEqual(await refused(c, ticket.slice(0, -5)), [5, "TICKET_INVALID"]);
    assert.deepEqual(await refused(c, "nonsense"), [5, "TICKET_INVALID"]);
    await c.start(["--join", ticket]);
    assert.deepEqual(await refused(fresh("d"), ticket), [5, "TICKET_USED"]);
    await c.kill();
  });

  test("a revoked peer is cut off and cannot come back", async () => {
    const peer = await place.add("f");
    await place.settled();
    assert.equal((await place.peer(0).mfd(["revoke", "f"])).code, 0);
    await eventuallyAsync("the others drop it", async () => {
      const row = (await place.peer(1).peers()).find(({ name }) => name === "f");
      return row === undefined || row.state !== "alive" ? true : undefined;
    });
    // It hears of it while it is connected, and ends by itself; its own start then says why it stays out.
    await eventuallyAsync("its daemon has ended", async () =>
      peer.daemon?.exitCode === null ? undefined : true,
    );
    const back = await peer.mfd(["start", "--foreground", "--json"]);
    assert.deepEqual([back.code, errorOf(back).code], [5, "PEER_REVOKED"]);
    const fresh = await place.ticket();
    const again = await peer.mfd(["start", "--foreground", "--json", "--join", fresh]);
    assert.notEqual(again.code, 0);
    const row = (await place.peer(1).peers()).find(({ name }) => name === "f");
    assert.notEqual(row?.state, "alive");
  });

  test("random bytes, half-open connections and huge lengths leave the mesh unharmed", async () => {
    const port = await portOf(place.peer(0));
    const sockets = Array.from({ length: 50 }, () => connect(port, "127.0.0.1"));
    for (const [position, socket] of sockets.entries()) {
      socket.on("error", () => undefined);
      if (position % 3 === 0) socket.write(randomBytes(64 * 1024));
      if (position % 3 === 1) socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00]));
    }
    const file = place.flow(
      "one.ts",
      `const one = flow("one");\none.step("s", {}, () => ({ v: 1 }));\nexport default one;`,
    );
    const { code, err } = await place.peer(1).mf(["submit", file]);
    assert.equal(code, 0, err);
    for (const socket of sockets) socket.destroy();
  });

  test("a port that is taken is told, and nothing is left running", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const address = blocker.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const peer = fresh("g");
    const outcome = await peer.mfd(["start", "--json", "--listen", `127.0.0.1:${port}`]);
    blocker.close();
    assert.notEqual(outcome.code, 0);
    assert.match(errorOf(outcome).message, new RegExp(String(port)));
    assert.notEqual((await peer.mfd(["status", "--json"])).code, 0);
  });
});
