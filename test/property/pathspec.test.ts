import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isMfError } from "../../src/model/errors.ts";
import { formatPathspec, parsePathspec, type Pathspec } from "../../src/model/pathspec.ts";

const name = fc.stringMatching(/^[A-Za-z_][\w-]{0,8}$/);
const part = fc.stringMatching(/^[^\s./[\]]{1,8}$/);
const run = fc.oneof(fc.constant("latest"), fc.stringMatching(/^[0-9a-hjkmnp-tv-z]{1,10}$/));
const index = fc.array(fc.nat(), { minLength: 1, maxLength: 4 });

const pathspec: fc.Arbitrary<Pathspec> = fc.oneof(
  fc.record({ k: fc.constant("content" as const), id: fc.stringMatching(/^b[a-z2-7]{3,60}$/) }),
  fc.record({ k: fc.constant("flow" as const), flow: name }),
  fc.record({ k: fc.constant("flow" as const), flow: name, run }),
  fc.record({ k: fc.constant("flow" as const), flow: name, run, step: name }),
  fc.record({ k: fc.constant("flow" as const), flow: name, run, step: name, index }),
  fc.record({
    k: fc.constant("flow" as const),
    flow: name,
    run,
    step: name,
    index,
    artifact: part,
  }),
  fc.record({
    k: fc.constant("flow" as const),
    flow: name,
    run,
    step: name,
    artifact: part,
    path: fc.array(part, { minLength: 1, maxLength: 3 }),
  }),
);

test("what is written is read back the same", () => {
  fc.assert(
    fc.property(pathspec, (spec) =>
      assert.deepEqual(parsePathspec(formatPathspec(spec)), { ...spec }),
    ),
  );
});

test("any text is a pathspec or a clear refusal, and never two things", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const spec = parsePathspec(text);
        assert.deepEqual(parsePathspec(formatPathspec(spec)), spec);
      } catch (error) {
        assert.ok(isMfError(error, "PATHSPEC_INVALID"), String(error));
      }
    }),
  );
});

test("the short form of a version is read as the long one", () => {
  assert.deepEqual(
    parsePathspec("flow/latest/step[3].artifact.deep"),
    parsePathspec("flow/latest/step[3]/artifact.deep"),
  );
});
