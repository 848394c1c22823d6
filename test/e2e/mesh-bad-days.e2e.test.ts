/** Days on which several things go wrong: nothing that was finished is lost, nothing hangs, and all copies agree in the end. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { agree, journalsOf, type EntryJson } from "../support/mesh-journals.ts";
import { MeshPlace } from "../support/mesh-place.ts";
import { done, ENDED, endsRight, sees, submit } from "../support/sweep.ts";

describe("peers that hang and come back", () => {
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(3);
  });
  after(() => place.dispose());

  test("a worker that accepts work and never answers: the run finishes without it, and it is a peer again", async () => {
    const [a, b, c] = place.three();
    const sweep = { count: 200, ms: 60, add: 1 };
    const run = await submit(a, place, sweep);
    await sees(a, run, "a third", (status) => done(status) >= sweep.count / 3);
    c.freeze();
    await endsRight(a, run, sweep);
    c.thaw();
    await place.settled();
    await endsRight(b, run, sweep);
  });

  test("an owner that hangs until another one owns the run is fenced and follows", async () => {
    const [a, b] = place.three();
    const sweep = { count: 300, ms: 150, add: 2 };
    const run = await submit(a, place, sweep);
    await sees(b, run, "a tenth", (status) => done(status) >= sweep.count / 10);
    a.freeze();
    await sees(b, run, "another owner", (status) => status.owner !== "a");
    a.thaw();
    await endsRight(b, run, sweep);
    await sees(a, run, "its end", (status) => ENDED.has(status.state) && status.owner !== "a");
  });

  test("their journals are the same everywhere", async () => {
    await agree(place);
  });
});

describe("many things at once", () => {
  let killed: { run: string; durable: readonly EntryJson[] } | undefined;
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(3);
  });
  after(() => place.dispose());

  test("two submit the same flow at two peers, while a fourth joins", async () => {
    const [a, b] = place.three();
    const sweep = { count: 60, ms: 30, add: 4 };
    const [d, first, second] = await Promise.all([
      place.add("d"),
      submit(a, place, sweep),
      submit(b, place, sweep),
    ]);
    assert.notEqual(first, second);
    for (const peer of [a, b, d])
      for (const run of [first, second]) await endsRight(peer, run, sweep);
  });

  test("all killed at once and started again: the run finishes, and nothing that its owner had durable runs again", async () => {
    const [a] = place.three();
    const sweep = { count: 200, ms: 60, add: 5 };
    const run = await submit(a, place, sweep);
    await sees(a, run, "a third", (status) => done(status) >= sweep.count / 3);
    await Promise.all(place.peers.map((peer) => peer.kill()));
    const before = await journalsOf(place.peers, run);
    const durable = before.toSorted((x, y) => y.length - x.length)[0] ?? [];
    assert.ok(tasksOf(durable).length >= sweep.count / 3);
    await Promise.all(place.peers.map((peer) => peer.start()));
    await endsRight(a, run, sweep);
    killed = { run, durable };
  });

  test("a peer whose store was deleted while it was down is a peer again and reads everything", async () => {
    const [a, b, c] = place.three();
    const sweep = { count: 60, ms: 60, add: 6 };
    const run = await submit(a, place, sweep);
    await sees(a, run, "a third", (status) => done(status) >= sweep.count / 3);
    await c.kill();
    rmSync(join(c.home, "store"), { recursive: true });
    await c.start();
    await place.settled();
    for (const peer of [a, b, c]) await endsRight(peer, run, sweep);
    const next = await submit(c, place, { ...sweep, add: 7 });
    await endsRight(a, next, { ...sweep, add: 7 });
  });

  test("their journals are the same everywhere, and begin with what was durable at the kill", async () => {
    await agree(place);
    assert.ok(killed !== undefined);
    const { run, durable } = killed;
    const [journal = []] = await journalsOf([place.peer(0)], run);
    assert.deepEqual(journal.slice(0, durable.length), durable);
  });
});

function tasksOf(journal: readonly EntryJson[]): NonNullable<EntryJson["tasks"]> {
  return journal.flatMap(({ tasks }) => tasks ?? []);
}
