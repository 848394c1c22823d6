/** Flows that cannot run: the code, the cause and the next step, and the exit code. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { errorOf, MfPlace } from "../support/mf-process.ts";

interface BadFlow {
  readonly name: string;
  readonly body: string;
  readonly argv?: readonly string[];
  readonly code: string;
  readonly exit: number;
  readonly says: RegExp;
}

const ADDS = `const adds = flow("adds", { n: p.number() });
adds.step("a", adds.params, ({ n }) => ({ x: n + 1 }));
export default adds;`;

const BAD_FLOWS: readonly BadFlow[] = [
  {
    name: "a parameter is missing",
    body: ADDS,
    code: "PARAM_MISSING",
    exit: 2,
    says: /"n"/,
  },
  {
    name: "a parameter is unknown",
    body: ADDS,
    argv: ["-p", "m=1", "-p", "n=1"],
    code: "PARAM_UNKNOWN",
    exit: 2,
    says: /"m"/,
  },
  {
    name: "a parameter is of another type",
    body: ADDS,
    argv: ["-p", "n=abc"],
    code: "PARAM_INVALID",
    exit: 2,
    says: /number.*abc/,
  },
  {
    name: "a type error",
    body: `const f = flow("types"); const a = f.step("a", {}, () => ({ x: 1 }));
f.step("b", { y: a.nope }, ({ y }) => ({ y })); export default f;`,
    code: "FLOW_TYPES_INVALID",
    exit: 2,
    says: /1 type error/,
  },
  {
    name: "two steps of one name",
    body: `const f = flow("twice"); f.step("a", {}, () => ({ x: 1 })); f.step("a", {}, () => ({ x: 2 })); export default f;`,
    code: "GRAPH_INVALID",
    exit: 2,
    says: /1 problem/,
  },
  {
    name: "a captured variable",
    body: `function make(k: number) { const f = flow("captures"); f.step("a", {}, () => ({ x: k })); return f; }
export default make(3);`,
    code: "STEP_CAPTURES",
    exit: 2,
    says: /captures k/,
  },
  {
    name: "no flow is exported",
    body: `export const nothing = 1;`,
    code: "FLOW_NOT_EXPORTED",
    exit: 2,
    says: /does not export a flow/,
  },
  {
    name: "a syntax error",
    body: `const f = flow("broken";`,
    code: "FLOW_BUILD_FAILED",
    exit: 2,
    says: /2:24: Expected/,
  },
  {
    name: "each over something that is no list",
    body: `const f = flow("nolist"); const a = f.step("a", {}, () => ({ xs: 5 as unknown as number[] }));
f.step("b", { x: each(a.xs) }, ({ x }) => ({ x })); export default f;`,
    code: "EACH_NOT_LIST",
    exit: 1,
    says: /stored number/,
  },
  {
    name: "a function deep inside a result",
    body: `const f = flow("deep");
f.step("a", {}, () => ({ deep: { list: [1, { fn: (() => 1) as unknown as number }] } })); export default f;`,
    code: "RESULT_UNSTORABLE",
    exit: 1,
    says: /deep\.list\[1\]\.fn is a function/,
  },
  {
    name: "a cycle in a result",
    body: `const f = flow("cycle");
f.step("a", {}, () => { const o: Record<string, unknown> = {}; o["self"] = { o }; return { o: o as { n?: number } }; });
export default f;`,
    code: "RESULT_UNSTORABLE",
    exit: 1,
    says: /o\.self\.o is a cycle/,
  },
];

describe("flows that cannot run", () => {
  const place = new MfPlace();
  after(() => place.dispose());

  for (const [position, bad] of BAD_FLOWS.entries()) {
    test(`${bad.name}: ${bad.code}, exit ${bad.exit}`, async () => {
      const file = place.flow(`bad${position}.ts`, bad.body);
      const outcome = await place.mf(["run", file, "--json", ...(bad.argv ?? [])]);
      const error = errorOf(outcome);
      assert.deepEqual([error.code, outcome.code], [bad.code, bad.exit], outcome.err);
      assert.match(error.message, bad.says);
      assert.notEqual(error.remedy, "");
      assert.doesNotMatch(`${error.message} ${error.remedy}`, /\{\w+\}(?! \})/, "an unfilled hole");
    });
  }

  test("a flow file that is not there is not found", async () => {
    const outcome = await place.mf(["run", "nowhere.ts", "--json"]);
    assert.equal(errorOf(outcome).code, "FLOW_FILE_MISSING");
    assert.match(String(outcome.code), /^[23]$/);
  });

  test("check tells all graph errors at once, and a valid flow is said to be valid", async () => {
    const file = place.flow(
      "many.ts",
      `const f = flow("many"); f.step("a", {}, () => ({ x: 1 })); f.step("a", {}, () => ({ x: 2 }));
f.step("b", {}, () => ({ x: 1 })); f.step("b", {}, () => ({ x: 2 })); export default f;`,
    );
    const bad = await place.mf(["check", file]);
    assert.equal(bad.code, 2);
    assert.equal(bad.err.match(/STEP_NAME_DUPLICATE/g)?.length, 2);
    const good = await place.mf(["check", place.flow("good.ts", ADDS)]);
    assert.equal(good.code, 0);
    assert.match(good.out, /flow "adds" is valid: 1 step, 1 parameter/);
  });
});
