/** What the compiler says of wrong flows: one run of tsc over test/types/fixtures, then one test for each case in wrong.ts. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../../..");
const FIXTURES = resolve(ROOT, "test/types/fixtures");
const TSC = resolve(ROOT, "node_modules/typescript/bin/tsc");

/** Case -> error code and the part of the message that tells the author what is wrong. */
const EXPECTED: Readonly<Record<string, readonly [code: string, message: RegExp]>> = {
  "artifact name": ["TS2339", /Property 'Xs' does not exist on type 'StepHandle</],
  "input name in the function": [
    "TS2339",
    /Property 'Y' does not exist on type '\{ readonly X: Float64Array/,
  ],
  "type of a value": ["TS2339", /Property 'toUpperCase' does not exist on type 'Float64Array/],
  "each over no list": [
    "TS2345",
    /'Ref<"a" \| "b", "">' is not assignable to parameter of type 'Ref<List, "">'/,
  ],
  "unknown parameter": ["TS2339", /Property 'alpha' does not exist on type 'Handle<ParamValues</],
  "forgotten collect": ["TS2488", /Type 'number' must have a '\[Symbol.iterator\]\(\)' method/],
  "collect outside a foreach": ["TS2345", /collect\(\) needs a value from inside a foreach/],
  "two foreachs mixed": [
    "TS2345",
    /these inputs come from two unrelated foreach\/switch scopes: collect\(\) one of them first/,
  ],
  "switch not exhaustive": ["TS2741", /Property 'b' is missing in type/],
  "switch arm that does not exist": ["TS2345", /no such case: c/],
  "switch result not narrowed": [
    "TS2339",
    /Property 'toFixed' does not exist on type 'string \| number'/,
  ],
  "plain string without else": ["TS2353", /'a' does not exist in type '\{ else: /],
  "collect of a switch arm": ["TS2345", /this value stands in a switch arm, not in a foreach/],
  "function stored": ["TS2322", /a function cannot be stored as an artifact/],
  "array returned": [
    "TS2322",
    /a step returns an object whose properties are its artifacts: return \{ name: value \}/,
  ],
  "typed array returned": ["TS2322", /a step returns an object whose properties are its artifacts/],
  "map returned": ["TS2322", /a step returns an object whose properties are its artifacts/],
  duration: ["TS2322", /Type '"10 minutes"' is not assignable to type '`\$\{number\}d`/],
  "unknown resource": ["TS2561", /'gpus' does not exist in type .*Did you mean to write 'gpu'\?/],
  "value looked at while the graph is built": [
    "TS2365",
    /Operator '>' cannot be applied to types 'Ref<number, "\/fit">' and 'number'/,
  ],
  "catch not narrowed": [
    "TS2339",
    /Property 'v' does not exist on type '\{ failed: true; \} \| \{ failed: false; v: number; \}'/,
  ],
  "artifact of a Python step": [
    "TS2339",
    /Property 'coef' does not exist on type 'Handle<\{ r2: number; \}, "">'/,
  ],
  "each over one file": [
    "TS2345",
    /'Ref<FileRef, "">' is not assignable to parameter of type 'Ref<List, "">'/,
  ],
  "list of files taken for one": ["TS2339", /Property 'text' does not exist on type 'FileRef\[\]'/],
  "source without its scheme": [
    "TS2345",
    /'"data\/iris\.csv"' is not assignable to parameter of type '`file:\$\{string\}`'/,
  ],
  "Python step without its file": ["TS2741", /Property 'file' is missing/],
  "raw value as an input": ["TS2322", /Type 'number' is not assignable to type 'Input'/],
};

interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly code: string;
  readonly text: string;
}

const diagnostics = compile();
const cases = casesOf(readFileSync(resolve(FIXTURES, "wrong.ts"), "utf8"));

test("every construct, rightly used, type-checks", () => {
  assert.deepEqual(
    diagnostics.filter((item) => !item.file.endsWith("wrong.ts")),
    [],
  );
});

test("every case of wrong.ts has an expectation and the other way round", () => {
  assert.deepEqual(cases.map((item) => item.name).sort(), Object.keys(EXPECTED).sort());
});

test("nothing outside the cases is an error", () => {
  const first = cases[0]?.from ?? 0;
  assert.deepEqual(
    diagnostics.filter((item) => item.file.endsWith("wrong.ts") && item.line < first),
    [],
  );
});

for (const { name, from, to } of cases) {
  test(`the compiler refuses: ${name}`, () => {
    const found = diagnostics.filter(
      (item) => item.file.endsWith("wrong.ts") && item.line >= from && item.line < to,
    );
    const [code, message] = EXPECTED[name] ?? ["", /^$/];
    const report = found.map((item) => `${item.code}: ${item.text}`).join("\n");
    assert.ok(
      found.some((item) => item.code === code && message.test(item.text)),
      `expected ${code} ${message}, got:\n${report}`,
    );
  });
}

function compile(): Diagnostic[] {
  const result = spawnSync(
    process.execPath,
    [TSC, "-p", FIXTURES, "--pretty", "false", "--noErrorTruncation"],
    { encoding: "utf8", cwd: ROOT },
  );
  const found: Diagnostic[] = [];
  for (const line of result.stdout.split("\n")) {
    const head = /^(.+?)\((\d+),\d+\): error (TS\d+): (.*)$/.exec(line);
    const last = found.at(-1);
    if (head !== null) {
      found.push({
        file: head[1] ?? "",
        line: Number(head[2]),
        code: head[3] ?? "",
        text: head[4] ?? "",
      });
    } else if (line.startsWith(" ") && last !== undefined) {
      found[found.length - 1] = { ...last, text: `${last.text}\n${line}` };
    }
  }
  assert.ok(found.length > 0, `tsc reported nothing: ${result.stdout}${result.stderr}`);
  return found;
}

function casesOf(source: string): { name: string; from: number; to: number }[] {
  const lines = source.split("\n");
  const starts = lines.flatMap((line, index) => (line.startsWith("// case ") ? [index] : []));
  return starts.map((start, position) => ({
    name: lines[start]?.slice("// case ".length) ?? "",
    from: start + 1,
    to: (starts[position + 1] ?? lines.length) + 1,
  }));
}
