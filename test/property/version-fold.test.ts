import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assert as check,
  asyncProperty,
  infiniteStream,
  nat,
  property,
  record,
  uniqueArray,
} from "fast-check";
import { VersionFold, type VersionPart } from "../../src/client/versions/version-fold.ts";

/** One sighting a run and name, as journals give them: who made a content is the same in whichever run it is seen. */
const sightings = uniqueArray(
  record({ run: nat(6), name: nat(2), content: nat(2), made: nat(3) }),
  { maxLength: 20, selector: ({ run, name }) => `${run} ${name}` },
).map((list) =>
  list.map(({ run, name, content, made }): VersionPart => {
    const text = `f/r${run}`;
    return {
      what: "artifact",
      artifact: `f/s/${name}`,
      id: `b${content}`,
      run: text,
      runAt: run,
      user: `u${run}`,
      at: made,
      by: `p${made}`,
      lastRun: text,
      seenAt: run + 0.5,
      seen: 1,
      bytes: content,
      kind: "number",
      code: "c",
    };
  }),
);

const folded = (parts: readonly VersionPart[]): VersionPart[] => {
  const fold = new VersionFold();
  for (const part of parts) fold.add({ ...part });
  return fold.rows();
};

test("parts come to the same in any order and in any grouping", () => {
  check(
    property(sightings, infiniteStream(nat()), (parts, chance) => {
      const draw = (): number => chance.next().value as number;
      const shuffled = parts
        .map((part) => ({ part, at: draw() }))
        .sort((a, b) => a.at - b.at)
        .map(({ part }) => part);
      const groups = [0, 1, 2].map((group) =>
        shuffled.filter((_, at) => (at * 7 + group) % 3 === 0),
      );
      const grouped = groups.flatMap((group) => folded(group));
      assert.deepEqual(folded(shuffled), folded(parts));
      assert.deepEqual(folded(grouped), folded(parts));
    }),
  );
});

test("closed, it counts only what it has kept", async () => {
  await check(
    asyncProperty(sightings, nat(5), async (parts, keep) => {
      const fold = new VersionFold();
      for (const part of parts) fold.add({ ...part });
      const kept = fold
        .rows()
        .slice(0, keep)
        .map((row) => [row.artifact, row.id, row.seen * 2]);
      await fold.close(keep);
      for (const part of parts) fold.add({ ...part });
      assert.deepEqual(
        fold.rows().map((row) => [row.artifact, row.id, row.seen]),
        kept,
      );
    }),
  );
});
