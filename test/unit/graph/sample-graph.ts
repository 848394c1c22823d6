/** A graph with a foreach, a collect and a switch, for tests of queries and drawings. */
import { definitionOf } from "../../../src/flow/flow-definition.ts";
import { flow } from "../../../src/flow/flow.ts";
import { p } from "../../../src/flow/params.ts";
import { collect, each } from "../../../src/flow/wiring.ts";
import type { FlowGraph } from "../../../src/graph/flow-graph.ts";
import { defined } from "../../../src/std/assert.ts";

export function sampleGraph(doc = "a sample"): FlowGraph {
  const f = flow("sample", { n: p.number(3, "how many") }, { doc });
  const load = f.step("load", f.params, ({ n }) => ({ X: [n], lrs: [0.1, 0.2] }));
  const fit = f.step("fit", { X: load.X, lr: each(load.lrs) }, ({ lr }) => ({ loss: lr }));
  const best = f.step("best", { all: collect(fit) }, { doc }, ({ all }) => ({
    kind: all.length > 2 ? ("big" as const) : ("small" as const),
    w: all,
  }));
  const route = f.switch("route", best.kind, {
    big: (s) => s.step("big", { w: best.w }, () => ({ r: 1 })),
    small: (s) => s.python("small", {}, { file: "s.py", fn: "run" }) as never,
  });
  f.step("end", { m: route }, () => ({ done: true }));
  return defined(definitionOf(f)).graph({ encode: () => new Uint8Array() });
}
