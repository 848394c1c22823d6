/** The cost of the types grows with the flow's length, not faster: a flow of 300 steps is an ordinary thing to generate. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../../..");
const TSC = resolve(ROOT, "node_modules/typescript/bin/tsc");
/** Three times the steps; a little more for what is shared. Quadratic growth would be nine. */
const GROWTH_MAX = 3.6;

test("300 steps cost at most 3.6 times the type instantiations of 100", (t) => {
  const [empty, small, large] = [0, 100, 300].map(measure);
  assert.ok(empty !== undefined && small !== undefined && large !== undefined);
  const growth =
    (large.instantiations - empty.instantiations) / (small.instantiations - empty.instantiations);
  t.diagnostic(
    `${large.instantiations} instantiations and ${large.seconds} s for 300 steps, growth ${growth.toFixed(2)}`,
  );
  assert.ok(growth <= GROWTH_MAX, `grew ${growth.toFixed(2)} times`);
});

function measure(steps: number): { instantiations: number; seconds: number } {
  const folder = mkdtempSync(join(tmpdir(), "mf-types-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "flow.ts"), generated(steps));
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(ROOT, "tsconfig.json"),
        compilerOptions: {
          noEmit: true,
          incremental: false,
          tsBuildInfoFile: null,
          rootDir: "/",
          typeRoots: [join(ROOT, "node_modules/@types")],
          paths: { meshflow: [join(ROOT, "src/index.ts")] },
        },
        include: ["flow.ts"],
        exclude: [],
      }),
    );
    const result = spawnSync(process.execPath, [TSC, "-p", folder, "--extendedDiagnostics"], {
      encoding: "utf8",
    });
    assert.equal(result.status, 0, result.stdout + result.stderr);
    const read = (name: string): number =>
      Number(new RegExp(`${name}:\\s+([\\d.]+)`).exec(result.stdout)?.[1]);
    return { instantiations: read("Instantiations"), seconds: read("Total time") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Blocks of five steps: a list, a foreach over it, a nested one, its collect and a summary. */
function generated(steps: number): string {
  const lines = [
    'import { collect, each, flow, p } from "meshflow";',
    'const f = flow("generated", { n: p.number(3) });',
    'const s0 = f.step("s0", f.params, ({ n }) => ({ total: n }));',
  ];
  for (let block = 0; block < steps / 5; block++) {
    const before = block === 0 ? "s0" : `e${block - 1}`;
    lines.push(
      `const a${block} = f.step("a${block}", { n: ${before}.total }, ({ n }) => ({ items: [n, n + 1], scale: n, X: new Float64Array(3) }));`,
      `const b${block} = f.step("b${block}", { X: a${block}.X, item: each(a${block}.items) }, { retry: 2 }, ({ X, item }) => ({ value: item * X.length, parts: [1, 2] }));`,
      `const c${block} = f.step("c${block}", { value: b${block}.value, part: each(b${block}.parts) }, ({ value, part }) => ({ score: value + part }));`,
      `const d${block} = f.step("d${block}", { scores: collect(c${block}.score) }, ({ scores }) => ({ sum: scores.reduce((a, b) => a + b, 0) }));`,
      `const e${block} = f.step("e${block}", { all: collect(d${block}), scale: a${block}.scale }, ({ all, scale }) => ({ total: all.length * scale }));`,
    );
  }
  return `${lines.join("\n")}\nexport default f;\n${steps === 0 ? "void [collect, each, s0];" : `void e${steps / 5 - 1};`}\n`;
}
