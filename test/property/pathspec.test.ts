import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isMfError } from "../../src/model/errors.ts";
import { tagFault } from "../../src/model/mark.ts";
import { readRunAddress } from "../../src/model/run-address.ts";
import { formatPathspec, parsePathspec, type Pathspec } from "../../src/model/pathspec.ts";

const name = fc.stringMatching(/^[A-Za-z_][\w-]{0,8}$/);
const part = fc.stringMatching(/^[^\s./[\]]{1,8}$/);
const twoDigits = (min: number, max: number): fc.Arbitrary<string> =>
  fc.integer({ min, max }).map((value) => String(value).padStart(2, "0"));
const day = fc
  .tuple(fc.integer({ min: 1970, max: 9999 }), twoDigits(1, 12), twoDigits(1, 28))
  .map((parts) => parts.join("-"));
const clock = fc
  .tuple(twoDigits(0, 23), fc.array(twoDigits(0, 59), { minLength: 1, maxLength: 2 }))
  .map(([hour, more]) => `T${[hour, ...more].join(":")}`);
const run = fc.oneof(
  fc.constant("latest"),
  fc.stringMatching(/^[0-9a-hjkmnp-tv-z]{1,10}$/),
  fc
    .string({ minLength: 1, maxLength: 12, unit: "grapheme" })
    .filter((tag) => tagFault(tag) === undefined)
    .map((tag) => `@${tag}`),
  fc
    .tuple(day, fc.oneof(fc.constant(""), clock), fc.constantFrom("", "Z"))
    .map((parts) => parts.join("")),
);
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

test("a time is the whole of what was written, and no other is read as one", () => {
  fc.assert(
    fc.property(day, clock, fc.constantFrom("", "Z"), (date, time, zone) => {
      const whole = readRunAddress(`${date}${zone}`);
      const part = readRunAddress(`${date}${time}${zone}`);
      assert.ok(typeof whole === "object" && whole.k === "time");
      assert.ok(typeof part === "object" && part.k === "time");
      assert.ok(whole.from <= part.from && part.until <= whole.until);
      assert.equal(part.until - part.from, time.length === 6 ? 59_999 : 999);
    }),
  );
});

test("the short form of a version is read as the long one", () => {
  assert.deepEqual(
    parsePathspec("flow/latest/step[3].artifact.deep"),
    parsePathspec("flow/latest/step[3]/artifact.deep"),
  );
});
