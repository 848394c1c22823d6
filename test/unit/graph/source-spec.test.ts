import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  isListSource,
  normalSource,
  parseSource,
  sourceRefusal,
} from "../../../src/graph/source-spec.ts";

test("two spellings of one path are one source", () => {
  const normal: Readonly<Record<string, string>> = {
    "file:data/iris.csv": "file:data/iris.csv",
    "file:./data//iris.csv": "file:data/iris.csv",
    "file:data/./iris.csv": "file:data/iris.csv",
    "file:../iris.csv": "file:../iris.csv",
    "file:/srv//data/": "file:/srv/data/",
    "file:images/": "file:images/",
    "file:images/.": "file:images/",
    "file:.": "file:./",
    "file:./": "file:./",
    "file:..": "file:../",
    "file:/": "file:/",
    "file:./*.csv": "file:*.csv",
    nonsense: "nonsense",
    "file:": "file:",
  };
  for (const [text, expected] of Object.entries(normal)) assert.equal(normalSource(text), expected);
});

test("a normal name stays what it is, whatever it was made of", () => {
  const part = fc.constantFrom("a", "..", ".", "", "b.csv", "*", "é", ".hidden");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const once = normalSource(`file:${parts.join("/")}`);
      assert.equal(normalSource(once), once);
    }),
  );
});

test("the text alone says whether it is one file, a directory or a glob", () => {
  assert.deepEqual(parseSource("file:data/iris.csv"), {
    kind: "file",
    path: "data/iris.csv",
    pattern: "",
  });
  assert.deepEqual(parseSource("file:images/"), {
    kind: "directory",
    path: "images/",
    pattern: "",
  });
  const globs: Readonly<Record<string, readonly [path: string, pattern: string]>> = {
    "file:runs/*/log.csv": ["runs", "*/log.csv"],
    "file:*.csv": [".", "*.csv"],
    "file:/srv/**/a?.{csv,tsv}": ["/srv", "**/a?.{csv,tsv}"],
    "file:/*": ["/", "*"],
    "file:../x{a,b/c}": ["..", "x{a,b/c}"],
  };
  for (const [spec, [path, pattern]] of Object.entries(globs))
    assert.deepEqual(parseSource(spec), { kind: "glob", path, pattern });
  assert.deepEqual(["file:a", "file:a/", "file:*", "file:a?"].map(isListSource), [
    false,
    true,
    true,
    true,
  ]);
});

test("what cannot be a source is refused in words", () => {
  for (const text of ["file:a.csv", "file:a[1].csv", "file:a/", "file:{a,b}.csv", "file:/"])
    assert.equal(sourceRefusal(text), undefined, text);
  const refused: Readonly<Record<string, RegExp>> = {
    "data/iris.csv": /does not begin with file:/,
    "": /does not begin with file:/,
    "s3://bucket/key": /not s3:/,
    "file:": /names no file/,
    "file:a*/": /cannot end with/,
    "file:*/../b": /cannot go up/,
    "file:{../a,b}": /cannot go up/,
    "file:{a,b": /braces/,
    "file:a}b{": /braces/,
    "file:a\u0000b": /control character/,
    [`file:${"a".repeat(300)}`]: /256 characters/,
  };
  for (const [text, reason] of Object.entries(refused))
    assert.match(sourceRefusal(text) ?? "", reason, text);
});
