/** Disks that fill up in the middle of a run and disks that lie: the run finishes elsewhere, and wrong bytes reach nobody. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { eventuallyAsync, MeshPlace, type MeshPeer } from "../support/mesh-place.ts";
import { errorOf } from "../support/mf-process.ts";
import { done, endsRight, sees, submit, type RunJson } from "../support/sweep.ts";

describe("disks that fill up and disks that lie", () => {
  let place: MeshPlace;
  beforeEach(async () => {
    place = await MeshPlace.of(2);
  });
  afterEach(() => place.dispose());

  test("a peer whose disk fills up in the middle takes nothing more, and the run finishes", async (t) => {
    const home = join(place.root, "c");
    if (!mounted(home)) return t.skip("no file system of its own can be mounted here");
    try {
      const [a] = place.peers;
      assert.ok(a !== undefined);
      const c = await place.add("c");
      await place.settled();
      const sweep = { count: 150, ms: 60, add: 8, bytes: 200_000 };
      const run = await submit(a, place, sweep);
      await sees(a, run, "a few", (status) => done(status) >= 15);
      fill(join(home, "filler"));
      await endsRight(a, run, sweep);
      await eventuallyAsync("c says that its disk is full", async () => {
        const { out } = await c.mfd(["status", "--json"]);
        const { store } = JSON.parse(out) as { store: { state: string } };
        return ["full", "poisoned"].includes(store.state) ? true : undefined;
      });
      rmSync(join(home, "filler"));
      const next = await submit(c, place, { ...sweep, add: 9 });
      await endsRight(a, next, { ...sweep, add: 9 });
      await Promise.all(place.peers.map((peer) => peer.kill("SIGTERM")));
    } finally {
      await place.peers[2]?.kill();
      spawnSync("umount", ["--lazy", home]);
    }
  });

  test("wrong bytes are refused, told where nobody has better ones, and fetched elsewhere", async () => {
    const [a] = place.peers;
    assert.ok(a !== undefined);
    const file = place.flow("large.ts", LARGE);
    const { run } = await a.json<RunJson>(["submit", file, "--json"]);
    const artifact = `${run}/make/data`;
    const holders = await eventuallyAsync("two peers hold it", async () => {
      const rows = await a.json<{ peers: string[] }[]>([
        "ls-versions",
        "large/make/data",
        "--json",
      ]);
      return rows[0]?.peers.length === 2 ? rows[0].peers : undefined;
    });
    const [liar, honest] = place.peers.filter((peer) => holders.includes(peer.name));
    assert.ok(liar !== undefined && honest !== undefined);
    const right = await read(honest, artifact);
    const c = await place.add("c");
    await liar.kill("SIGTERM");
    flipByte(join(liar.home, "store", "segments"));
    await liar.start();
    await place.settled();
    await honest.kill();

    const alone = await c.mf(["get", artifact, "--as", "npy", "-o", join(c.home, "out"), "--json"]);
    assert.notEqual(alone.code, 0);
    assert.match(errorOf(alone).code, /^CONTENT_(?:MISSING|MISMATCH)$/u);

    await honest.start();
    await place.settled();
    assert.ok((await read(c, artifact)).equals(right));
  });
});

const LARGE = `
const large = flow("large");
large.step("make", {}, () => {
  const data = new Float64Array(1_000_000);
  let x = 0.5;
  for (let i = 0; i < data.length; i++) data[i] = x = (x * 3.99 * (1 - x)) % 1;
  return { data };
});
export default large;`;

async function read(peer: MeshPeer, artifact: string): Promise<Buffer> {
  const out = join(peer.home, "out.npy");
  const { code, err } = await peer.mf(["get", artifact, "--as", "npy", "-o", out, "--force"]);
  assert.equal(code, 0, err);
  return readFileSync(out);
}

/** One bit, in the middle of the largest segment. */
function flipByte(folder: string): void {
  const files = readdirSync(folder).map((name) => join(folder, name));
  const [largest] = files.toSorted((x, y) => statSync(y).size - statSync(x).size);
  assert.ok(largest !== undefined);
  const bytes = readFileSync(largest);
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(largest, bytes);
}

/** Above what counts as full, so that the peer takes part. */
const DISK = "size=320m";

function mounted(folder: string): boolean {
  mkdirSync(folder, { recursive: true });
  return spawnSync("mount", ["-t", "tmpfs", "-o", DISK, "tmpfs", folder]).status === 0;
}

/** Until nothing more fits. */
function fill(file: string): void {
  const block = Buffer.alloc(1024 * 1024);
  try {
    for (;;) appendFileSync(file, block);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  }
}
