import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { alternatives, follow, Glob, isMatch, leadsOn } from "../../../src/source/glob.ts";

function matches(pattern: string, path: string): boolean {
  let places = new Glob(pattern).start;
  for (const name of path.split("/")) places = follow(places, name);
  return isMatch(places);
}

test("wildcards match within a name, ** any number of directories, braces either", () => {
  const cases: Readonly<Record<string, { yes: readonly string[]; no: readonly string[] }>> = {
    "*.csv": { yes: ["a.csv", "a.b.csv"], no: ["a.tsv", "d/a.csv", ".a.csv", ".csv"] },
    "a?.txt": { yes: ["ab.txt", "aé.txt", "a😀.txt"], no: ["a.txt", "abc.txt"] },
    "**/*.csv": { yes: ["a.csv", "d/a.csv", "d/e/a.csv"], no: [".d/a.csv", "d/.a.csv"] },
    "**": { yes: ["a", "d/e"], no: [".a"] },
    "d/**": { yes: ["d/a", "d/e/f"], no: ["d", "e/a"] },
    "a/**/b": { yes: ["a/b", "a/x/y/b"], no: ["a", "b", "a/b/c"] },
    "a/**/**/b": { yes: ["a/b", "a/x/b"], no: ["a"] },
    "{a,b/c}.{x,y}": { yes: ["a.x", "b/c.y"], no: ["b.x", "a.z"] },
    "{a,{b,c}d}": { yes: ["a", "bd", "cd"], no: ["b", "ad"] },
    ".*": { yes: [".a"], no: ["a"] },
    "a[1](2)+$^|.b": { yes: ["a[1](2)+$^|.b"], no: ["a1(2)+$^|xb"] },
    "x{,-old}.csv": { yes: ["x.csv", "x-old.csv"], no: ["x-.csv"] },
  };
  for (const [pattern, { yes, no }] of Object.entries(cases)) {
    for (const path of yes) assert.ok(matches(pattern, path), `${pattern} matches ${path}`);
    for (const path of no) assert.ok(!matches(pattern, path), `${pattern} does not match ${path}`);
  }
});

test("a directory is entered only where it can lead to a match", () => {
  const at = (pattern: string, name: string): boolean =>
    leadsOn(follow(new Glob(pattern).start, name));
  assert.deepEqual([at("runs/*.csv", "runs"), at("runs/*.csv", "other")], [true, false]);
  assert.deepEqual([at("**/a", "x"), at("**/a", ".x"), at("*", "x")], [true, false, false]);
});

test("braces cannot mean more than a limit says", () => {
  assert.throws(() => alternatives("{a,b}".repeat(20)), RangeError);
  assert.deepEqual(alternatives("a{b}"), ["ab"]);
});

test("a pattern without wildcards matches just itself", () => {
  const name = fc.stringMatching(/^[\w.$()+-]{1,5}$/).filter((text) => !/^\.+$/.test(text));
  fc.assert(
    fc.property(name, name, (one, other) => {
      assert.equal(matches(one, other), one === other);
    }),
  );
});
