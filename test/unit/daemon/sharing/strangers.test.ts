/** Members that answer wrongly: nothing of it is kept, and the run ends as if they had said nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CodeId, MemoKey } from "../../../../src/model/ids.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { CLAIM, FACTS, HAND_IN, KNOWN, OVER, USE } from "../../../../src/wire/sharing-protocol.ts";
import { MeshFixture } from "../../../support/mesh-fixture.ts";

const FLOW = { steps: [{ name: "only" }] };
const STEPS = { only: () => ({ x: 1 }) };

test("facts of other keys or other code, and contents that are not theirs, are not kept", async () => {
  const mesh = new MeshFixture(STEPS, { isSharing: true });
  const ada = await mesh.add("ada");
  await (
    await ada.start(FLOW)
  ).finished;
  const [fact] = [...ada.store.durable.facts.values()];
  assert.ok(fact !== undefined);
  const [ref] = Object.values(fact.outputs);
  assert.ok(ref !== undefined);
  mesh.setState("ada", "dead");
  const liar = await mesh.addLiar("liar");
  liar.handle(KNOWN, async (_, { codes }) => ({ known: codes.map((_code, at) => ({ at })) }));
  const wrong = [
    { facts: [{ ...fact, memoKey: "0".repeat(64) as MemoKey }], inline: [] },
    { facts: [{ ...fact, code: "other" as CodeId }], inline: [] },
    { facts: [fact], inline: [{ id: ref.id, data: new Uint8Array([9]) }] },
  ];
  let turn = 0;
  liar.handle(FACTS, async () => ({ ...(wrong[turn] ?? { facts: [], inline: [] }), isCut: true }));
  for (turn = 0; turn < wrong.length; turn++) {
    const bob = await mesh.add(`bob${turn}`);
    const { tasks } = await (await bob.start(FLOW)).finished;
    assert.deepEqual([tasks.executed, tasks.reused], [1, 0], `turn ${turn}`);
    assert.notDeepEqual(bob.store.durable.contents.get(ref.id), new Uint8Array([9]));
    mesh.setState(bob.name, "dead");
  }
  mesh.close();
});

test("answers of no form and notices that nobody waits for change nothing", async () => {
  const mesh = new MeshFixture(STEPS, { isSharing: true });
  const ada = await mesh.add("ada");
  const liar = await mesh.addLiar("liar");
  const nonsense = async (): Promise<never> => ({ nonsense: true }) as never;
  liar.handle(KNOWN, nonsense);
  liar.handle(FACTS, nonsense);
  liar.handle(USE, nonsense);
  liar.handle(CLAIM, nonsense);
  liar.handle(HAND_IN, nonsense);
  liar.send(ada.id, OVER, {
    keys: ["f".repeat(64) as MemoKey],
    by: "liar" as PeerId,
    isDone: true,
  });
  for (let at = 0; at < 5; at++) {
    const code = `code${at}`;
    const handle = await ada.start({ steps: [{ name: "only", code }] });
    assert.equal((await handle.finished).state, "succeeded");
  }
  assert.deepEqual(ada.sharing.size, { uses: 0, held: 0, away: 0 });
  mesh.close();
});
