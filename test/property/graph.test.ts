/** Random declarations, right and wrong, with harmless and hostile texts: they build, and every form of drawing holds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { buildGraph } from "../../src/graph/build-graph.ts";
import type { DeclaredFlow, DeclaredItem } from "../../src/graph/declared-flow.ts";
import { DRAWING_FORMS, drawGraph } from "../../src/graph/draw/draw-graph.ts";
import type { FlowGraph, ValueRef } from "../../src/graph/flow-graph.ts";
import { STEP_OPTIONS_DEFAULT } from "../../src/model/step-options.ts";
import { inputRefs } from "../../src/graph/queries.ts";

const HOSTILE = [
  `<script>alert("x")</script>`,
  `"]; evil [label="`,
  "a\n\u001B[31mb\u0007",
  "&amp; & &#x41; --> end",
  "日本語 \\",
  "",
  "]]>",
];

interface Draw {
  readonly kind: number;
  readonly source: number;
  readonly other: number;
  readonly text: number;
}

const draw: fc.Arbitrary<Draw> = fc.record({
  kind: fc.nat(10),
  source: fc.nat(100),
  other: fc.nat(100),
  text: fc.nat(100),
});

/** Each draw becomes one or two items that read what was declared before. */
function declared(draws: readonly Draw[], texts: readonly string[]): DeclaredFlow {
  const text = (n: number): string => texts[n % texts.length] ?? "";
  const items: DeclaredItem[] = [];
  const values: ValueRef[] = [{ k: "param", name: "p" }];
  const step = (name: string, refs: readonly ValueRef[], doc: string): void => {
    const fields = Object.fromEntries(refs.map((ref, i) => [`x${i}`, ref]));
    items.push({
      kind: "step",
      name,
      inputs: { fields },
      options: { ...STEP_OPTIONS_DEFAULT, doc },
    });
    values.push({ k: "out", step: name, path: ["a"] });
  };
  for (const [i, { kind, source, other, text: n }] of draws.entries()) {
    const name = `s${i}${text(n)}`;
    const from = values[source % values.length] ?? { k: "param", name: "p" };
    const second = values[other % values.length] ?? from;
    if (kind < 2) step(name, [from, second], text(n + 1));
    else if (kind < 4) step(name, [{ k: "each", of: from }, second], "");
    else if (kind < 7) step(name, [{ k: "collect", of: from }], text(n));
    else if (kind === 7) step(name, [{ k: "from", pathspec: `f/latest/${text(n)}` }, from], "");
    else if (kind === 8) step(name, [{ k: "const", data: "", text: text(n) }, from], "");
    else if (kind === 9) step(name, [{ k: "source", spec: `file:${text(n)}` }, from], "");
    else {
      const within = { switch: name, case: "one" };
      const inArm = `${name}-arm`;
      items.push({
        kind: "switch",
        name,
        on: from,
        cases: { one: { k: "out", step: inArm, path: [] }, else: second },
      });
      items.push({
        kind: "step",
        name: inArm,
        inputs: { whole: from },
        options: STEP_OPTIONS_DEFAULT,
        within,
      });
      values.push({ k: "switch", name, path: [] });
    }
  }
  const params = [{ name: "p", kind: "json", help: text(1), defaultText: text(2) }];
  return { name: `flow${text(3)}`, doc: text(4), params, items };
}

const flows = (texts: readonly string[]): fc.Arbitrary<DeclaredFlow> =>
  fc.array(draw, { maxLength: 9 }).map((draws) => declared(draws, texts));

function levelsOf(graph: FlowGraph, ref: ValueRef): readonly string[] {
  switch (ref.k) {
    case "out":
      return graph.steps.find((step) => step.name === ref.step)?.levels ?? [];
    case "switch":
      return graph.switches.find((item) => item.name === ref.name)?.levels ?? [];
    case "each":
      return levelsOf(graph, ref.of);
    case "collect":
      return levelsOf(graph, ref.of).slice(0, -1);
    case "param":
    case "const":
    case "from":
    case "source":
      return [];
  }
}

test("levels are those of the inputs, one more where there is an each(), and name a step before", () => {
  let whole = 0;
  fc.assert(
    fc.property(flows([""]), (flow) => {
      const { graph, problems } = buildGraph(flow);
      if (problems.length > 0) return;
      whole++;
      const seen = new Set<string>();
      for (const step of graph.steps) {
        const refs = inputRefs(step).map(({ ref }) => ref);
        const opens = refs.some((ref) => ref.k === "each");
        seen.add(step.name);
        assert.equal(step.levels.at(-1) === step.name, opens);
        const around = opens ? step.levels.slice(0, -1) : step.levels;
        for (const ref of refs) {
          const levels = levelsOf(graph, ref);
          assert.deepEqual(around.slice(0, levels.length), levels);
        }
        assert.ok(step.levels.every((level) => seen.has(level)));
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(whole > 40, `only ${whole} flows had no problem`);
});

test("every problem says what is wrong and what to do", () => {
  fc.assert(
    fc.property(flows(["", ...HOSTILE]), (flow) => {
      const { problems } = buildGraph(flow);
      for (const { message, remedy } of problems) assert.ok(message !== "" && remedy !== "");
    }),
    { numRuns: 200 },
  );
});

test("no text of a flow leaves its place in a drawing", async () => {
  await fc.assert(
    fc.asyncProperty(flows(["", ...HOSTILE]), async (flow) => {
      const { graph } = buildGraph(flow);
      for (const form of DRAWING_FORMS) {
        const text = await drawGraph(graph, form);
        assert.doesNotMatch(text.replaceAll("\n", ""), /\p{Cc}/u, form);
        if (form === "svg" || form === "html") assertMarkup(text);
      }
    }),
    { numRuns: 25 },
  );
});

/** Elements are closed in order, and every & begins an entity. */
function assertMarkup(text: string): void {
  assert.doesNotMatch(text, /<script/i);
  assert.doesNotMatch(text, /&(?!#\d+;|#x[0-9a-f]+;|\w+;)/i);
  const open: string[] = [];
  const VOID = new Set(["meta"]);
  for (const [, close, name, rest] of text.matchAll(
    /<(\/?)([a-zA-Z][\w:]*)((?:"[^"]*"|[^">])*)>/g,
  )) {
    if (close === "/") assert.equal(open.pop(), name);
    else if (rest?.endsWith("/") !== true && !VOID.has(name ?? "")) open.push(name ?? "");
  }
  assert.deepEqual(open, []);
}
