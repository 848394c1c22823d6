import assert from "node:assert/strict";
import { test } from "node:test";
import { definitionOf } from "../../../../src/flow/flow-definition.ts";
import { flow } from "../../../../src/flow/flow.ts";
import { each } from "../../../../src/flow/wiring.ts";
import { drawGraph } from "../../../../src/graph/draw/draw-graph.ts";
import { defined } from "../../../../src/std/assert.ts";
import { sampleGraph } from "../sample-graph.ts";

const hostile = '<script>alert("x")</script> & \u001B[31m\n日本語 #quot; --> ]';

test("tty: one line a step, with its mark, its many tasks and what it reads", async () => {
  assert.equal(
    await drawGraph(sampleGraph(), "tty", { width: 70 }),
    [
      "sample  a sample",
      "▷ params          n=3",
      "● load            ← params",
      "● fit ×           ← load.X, each(load.lrs)",
      "● best            ← collect(fit)",
      "◇ route           ← best.kind",
      "●   big: big      ← best.w",
      "◆   small: small",
      "● end             ← route",
      "",
    ].join("\n"),
  );
});

test("tty: a run's states, counts and times stand in columns", async () => {
  const states = {
    load: { state: "succeeded", count: "1/1", time: "1.2s" },
    fit: { state: "running", count: "1/2" },
  } as const;
  const lines = (await drawGraph(sampleGraph(), "tty", { states })).split("\n");
  assert.match(lines[2] ?? "", /^✔ load +1\/1 {2}1\.2s {2}← params$/);
  assert.match(lines[3] ?? "", /^▶ fit × +1\/2 +← load/);
});

test("tty: no line is wider than asked, whatever the texts hold", async () => {
  for (const width of [1, 10, 24, 40]) {
    const text = await drawGraph(sampleGraph(hostile), "tty", { width });
    const columns = text
      .split("\n")
      .map((line) =>
        Array.from(line).reduce((sum, c) => sum + (/[\u2E80-\uFFE6]/.test(c) ? 2 : 1), 0),
      );
    assert.ok(Math.max(...columns) <= width, `${width}: ${columns.join()}`);
    assert.ok(!text.includes("\u001B"));
  }
  assert.ok((await drawGraph(sampleGraph(), "tty", { colour: true })).includes("\u001B[34m"));
});

test("mermaid: shapes, arrows and escaped texts", async () => {
  const text = await drawGraph(sampleGraph(), "mermaid");
  assert.match(text, /^flowchart TB\n {2}b0\(\["n"\]\):::params/);
  assert.match(text, /b2\[\["fit ×"\]\]:::step/);
  assert.match(text, /b1 ==>\|"lrs"\| b2/);
  assert.match(text, /b4\{"route"\}:::switch/);
  assert.match(text, /b4 -\.->\|"big"\| b5/);
});

test("dot: thick for each, dashed for collect and arms, and nothing breaks out of a string", async () => {
  const text = await drawGraph(sampleGraph(hostile), "dot");
  assert.match(
    text,
    /"step:load" -> "step:fit" \[label="  lrs  ", class="each", penwidth="2\.6"\]/,
  );
  assert.match(text, /"step:fit" -> "step:best" \[label="", class="collect", style="dashed"/);
  assert.match(text, /"switch:route" -> "step:small" \[label="  small  ", class="arm"/);
  assert.ok(text.includes('tooltip="<script>alert(\\"x\\")</script> &amp;  [31m\\n日本語'));
});

test("svg: laid out, stacked where there are many tasks, and free of markup from texts", async () => {
  const text = await drawGraph(sampleGraph(hostile), "svg", {
    states: { fit: { state: "running", count: "1/2" } },
  });
  assert.ok(text.startsWith("<svg") && text.trimEnd().endsWith("</svg>"));
  assert.equal(text.match(/translate\(6,-6\)/g)?.length, 1);
  assert.ok(text.includes("running · 1/2") && text.includes("#dcebff"));
  assert.ok(!text.includes("<script"));
});

test("html: one page with the picture and the parameters, free of markup from texts", async () => {
  const text = await drawGraph(sampleGraph(hostile), "html");
  assert.ok(
    text.startsWith("<!doctype html>") && text.includes("<svg") && text.includes("how many"),
  );
  assert.ok(!text.includes("<script") && !/\b(?:src|href)="http/.test(text));
});

test("a source is shown in every form, each once", async () => {
  const f = flow("s");
  const images = f.source("file:images/*.png");
  f.step("look", { image: each(images) }, ({ image }) => ({ size: image.size }));
  f.step("count", { images, csv: f.source("file:./iris.csv") }, ({ images: all }) => ({
    count: all.length,
  }));
  const graph = defined(definitionOf(f)).graph({ encode: () => new Uint8Array() });
  assert.equal(
    await drawGraph(graph, "tty"),
    [
      "s",
      "▤ source  file:images/*.png",
      "▤ source  file:iris.csv",
      "● look ×  ← each(source('file:images/*.png'))",
      "● count   ← source('file:images/*.png'), source('file:iris.csv')",
      "",
    ].join("\n"),
  );
  const mermaid = await drawGraph(graph, "mermaid");
  assert.match(mermaid, /b1\[\/"file:iris\.csv"\/\]:::source/);
  assert.match(mermaid, /b0 ==> b2/);
  for (const form of ["dot", "svg", "html"] as const)
    assert.ok((await drawGraph(graph, form)).includes("file:iris.csv"), form);
});
