/** The owner's daemon is killed in each phase of a run and started again: the run ends once, with one journal. */
import { after, before, describe, test } from "node:test";
import { agree } from "../support/mesh-journals.ts";
import { MeshPlace } from "../support/mesh-place.ts";
import { done, ENDED, endsRight, sees, submit, type StatusJson } from "../support/sweep.ts";

describe("an owner that dies in each phase of its run and starts again", () => {
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(3);
  });
  after(() => place.dispose());

  const phases: readonly (readonly [string, (status: StatusJson) => boolean])[] = [
    ["before the first task", () => true],
    ["in the middle", (status) => done(status) >= 20],
    ["in the join", (status) => done(status) === 60],
    ["right after the end", (status) => ENDED.has(status.state)],
  ];
  for (const [position, [phase, isSo]] of phases.entries())
    test(phase, async () => {
      const [a, b] = place.three();
      const sweep = { count: 60, ms: 80, add: position, edgeMs: 500 };
      const run = await submit(a, place, sweep);
      await sees(b, run, phase, isSo);
      await a.kill();
      await a.start();
      await endsRight(b, run, sweep);
      await endsRight(a, run, sweep);
    });

  test("their journals are the same everywhere", async () => {
    await agree(place);
  });
});
