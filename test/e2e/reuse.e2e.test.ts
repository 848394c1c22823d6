/** What is not run again, and what is, as people ask for it: cut short by equal results, no older than a ttl, forgotten by a salt. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { MfPlace } from "../support/mf-process.ts";

interface Tasks {
  readonly executed: number;
  readonly reused: number;
}

const FLOW = `const f = flow("cut");
const load = f.step("load", {}, () => ({ xs: [1, 2, 3] }));
const fit = f.step("fit", { x: each(load.xs) }, ({ x }) => ({ y: x * 2 }));
f.step("best", { ys: collect(fit.y) }, ({ ys }) => ({ z: Math.max(...ys) }));
export default f;`;

describe("reuse in one home", () => {
  const place = new MfPlace();
  after(() => place.dispose());

  const run = async (text: string, ...options: string[]): Promise<readonly [number, number]> => {
    const file = place.flow("cut.ts", text);
    const answer = await place.json(["run", file, "--json", "--no-check", ...options]);
    const { executed, reused } = (answer as { tasks: Tasks }).tasks;
    return [executed, reused];
  };

  test("a step that is edited and comes to the same cuts off what is behind it, and the end says so", async () => {
    assert.deepEqual(await run(FLOW), [5, 0]);
    const edited = FLOW.replace("[1, 2, 3]", "[3, 2, 1].reverse()");
    const { out, err, code } = await place.mf(["run", place.flow("cut.ts", edited), "--no-check"]);
    assert.equal(code, 0, err);
    assert.match(out, /5 tasks, 1 executed, 4 reused/);
    assert.match(out, /load ran again and came to the same: 4 tasks behind it reused/);
    const half = FLOW.replace("x * 2", "x === 3 ? 6 : x * 3");
    assert.deepEqual(await run(half), [4, 1], "best has other inputs, load is not touched");
    const forced = await place.mf(["run", place.flow("cut.ts", FLOW), "--rerun", "fit"]);
    assert.match(forced.out, /fit ran again and came to the same: 1 task behind it reused/);
  });

  test("a result older than its ttl does not count, a younger one does", async () => {
    const aged = (ttl: string): string =>
      FLOW.replace('cut"', 'aged"').replace(
        "{ ys: collect(fit.y) }, (",
        `{ ys: collect(fit.y) }, { cache: { ttl: "${ttl}" } }, (`,
      );
    await run(aged("1h"));
    assert.deepEqual(await run(aged("1h")), [0, 5]);
    assert.deepEqual(await run(aged("1ms")), [1, 4]);
  });

  test("another salt forgets what was known, the old one still knows it", async () => {
    const salted = (salt: string): string =>
      FLOW.replace('cut"', 'salted"').replace(
        "each(load.xs) }, (",
        `each(load.xs) }, { cache: { salt: "${salt}" } }, (`,
      );
    await run(salted("1"));
    assert.deepEqual(await run(salted("2")), [3, 2], "and cut off behind it");
    assert.deepEqual(await run(salted("1")), [0, 5]);
  });
});
