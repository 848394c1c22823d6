/** The flow files of the benchmark, as a user would write them. */

const head = (names) => `import { ${names} } from "meshflow";\n`;

export function fanOutFlow(count) {
  return `${head("collect, each, flow")}
const fan = flow("fan");
const list = fan.step("list", {}, () => ({ items: Array.from({ length: ${count} }, (_, i) => i) }));
const work = fan.step("work", { item: each(list.items) }, ({ item }) => ({ value: item + 1 }));
fan.step("join", { values: collect(work.value) }, ({ values }) => ({ sum: values.reduce((a, b) => a + b, 0) }));
export default fan;
`;
}

export function chainFlow(count) {
  const steps = Array.from({ length: count - 1 }, (_, i) => {
    return `const s${i + 1} = chain.step("s${i + 1}", { v: s${i}.v }, ({ v }) => ({ v: v + 1 }));`;
  });
  return `${head("flow")}
const chain = flow("chain");
const s0 = chain.step("s0", {}, () => ({ v: 0 }));
${steps.join("\n")}
export default chain;
`;
}

/** @param rounds of 20,000 square roots: about `ms` of one core, measured beforehand on this machine. */
export function cpuFlow(count, rounds) {
  return `${head("each, flow")}
const cpu = flow("cpu");
const list = cpu.step("list", {}, () => ({ items: Array.from({ length: ${count} }, (_, i) => i) }));
cpu.step("burn", { item: each(list.items) }, ({ item }) => {
  let x = item;
  for (let round = 0; round < ${rounds}; round++) for (let i = 0; i < 20_000; i++) x += Math.sqrt(i);
  return { x };
});
export default cpu;
`;
}

export function readersFlow(bytes, readers) {
  return `${head("each, flow")}
const share = flow("share");
const made = share.step("make", {}, () => {
  const data = new Float64Array(${bytes / 8});
  for (let i = 0; i < data.length; i++) data[i] = i * 1.25;
  return { data, items: Array.from({ length: ${readers} }, (_, i) => i) };
});
share.step("read", { item: each(made.items), data: made.data }, ({ item, data }) => {
  let sum = item;
  for (let i = 0; i < data.length; i += 512) sum += data[i];
  return { sum };
});
export default share;
`;
}

export const HELLO_FLOW = `${head("flow")}
const hello = flow("hello");
hello.step("greet", {}, () => ({ text: "hello world" }));
export default hello;
`;

const SWEEP_POINTS = 298;
export const SWEEP_STEPS = new Set(["grid", "fit", "total"]);
export const SWEEP_TASKS = SWEEP_POINTS + 2;
export const SWEEP_ANSWER = Array.from({ length: SWEEP_POINTS }, (_, i) => i * i).reduce(
  (a, b) => a + b,
  0,
);

/** For the kill campaign: every fifth task stores 256 KiB, every seventh prints, each takes a few ms. */
export function sweepFlow() {
  return `${head("collect, each, flow")}
const sweep = flow("sweep");
const grid = sweep.step("grid", {}, () => ({ points: Array.from({ length: ${SWEEP_POINTS} }, (_, i) => i) }));
const fit = sweep.step("fit", { point: each(grid.points) }, ({ point }) => {
  let x = 0;
  for (let i = 0; i < 1_000_000; i++) x += Math.sqrt(i + point);
  if (point % 7 === 0) console.log("point", point, x);
  const curve = point % 5 === 0 ? new Float64Array(32_768).fill(point) : new Float64Array(4);
  return { square: point * point, curve };
});
sweep.step("total", { squares: collect(fit.square) }, ({ squares }) => ({ sum: squares.reduce((a, b) => a + b, 0) }));
export default sweep;
`;
}

/** For meshes: each task waits, so that it needs a slot and no core. `add` makes it other work than before, so nothing is reused. */
export function foreachFlow(count, ms, add = 0) {
  return `${head("collect, each, flow")}
const sweep = flow("sweep");
const list = sweep.step("list", {}, () => ({ items: Array.from({ length: ${count} }, (_, i) => i), round: ${add} }));
const work = sweep.step("work", { n: each(list.items) }, async ({ n }) => {
  await new Promise((resolve) => setTimeout(resolve, ${ms}));
  return { n: n + ${add} };
});
sweep.step("sum", { all: collect(work.n) }, ({ all }) => ({ total: all.reduce((a, b) => a + b, 0) }));
export default sweep;
`;
}

export const FOREACH_ANSWER = (count, add = 0) => (count * (count - 1)) / 2 + count * add;

/** One artifact of `bytes` whose every part is different: xorshift32 has a period of 2^32 - 1, a chaotic map falls into a cycle. */
export function largeFlow(bytes) {
  return `${head("flow")}
const large = flow("large");
large.step("make", {}, { resources: { mem: "4GB" } }, () => {
  const data = new Uint32Array(${Math.floor(bytes / 4)});
  let x = 2463534242;
  for (let i = 0; i < data.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    data[i] = x;
  }
  return { data };
});
export default large;
`;
}

/** One step that draws and one that reads the clock, between steps that repeat. */
export function flakyFlow() {
  return `${head("flow")}
const flaky = flow("flaky");
const list = flaky.step("list", {}, (_, ctx) => ({ xs: [ctx.random(), ctx.random()] }));
const dice = flaky.step("dice", { xs: list.xs }, ({ xs }) => ({ z: xs.map((x) => x + Math.random()), n: xs.length }));
const clock = flaky.step("clock", { xs: list.xs }, ({ xs }) => ({ at: Date.now() + xs.length }));
flaky.step("sum", { z: dice.z, at: clock.at, n: dice.n }, ({ z, at, n }) => ({ total: z.length + at, n }));
export default flaky;
`;
}

/** Each run makes about 400 kB of its own, beside what all runs share. */
export function pileFlow() {
  return `${head("each, flow, p")}
const pile = flow("pile", { n: p.number(0) });
const base = pile.step("base", {}, () => ({ table: Float64Array.from({ length: 20_000 }, (_, i) => i) }));
const own = pile.step("own", { n: pile.params.n, table: base.table }, ({ n, table }) => ({
  rows: table.map((x, i) => Math.sin(x * (n + 1) + i)), more: [1, 2, 3].map((i) => ({ i: i + n })) }));
pile.step("each", { item: each(own.more) }, ({ item }) => ({ text: "x".repeat(20_000) + item.i }));
export default pile;
`;
}

/** Its text is part of the flow below, so it is all in itself. */
function noise(seed, bytes) {
  const data = new Uint32Array(bytes / 4);
  let x = seed * 2654435761 + 1;
  for (let i = 0; i < data.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    data[i] = x;
  }
  return data;
}

/**
 * For kills of a collection: `keep` is one result of many runs, in the segments of the first; the rest is each run's own, so a
 * segment is mostly dead as soon as its run went and what lives in it has to be copied.
 */
export function keptFlow() {
  return `${head("collect, each, flow, p")}
const kept = flow("kept", { n: p.number(0) });
${noise.toString().replace("(seed, bytes)", "(seed: number, bytes: number)")}
const list = kept.step("list", {}, () => ({ items: [1, 2, 3, 4, 5, 6, 7, 8] }));
const keep = kept.step("keep", { item: each(list.items) }, ({ item }) => ({ data: noise(item, 393_216) }));
const own = kept.step("own", { item: each(list.items), n: kept.params.n }, ({ item, n }) => ({
  data: noise(1000 * n + item, 393_216),
  small: "x".repeat(5000) + n,
}));
kept.step("sum", { keep: collect(keep.data), own: collect(own.data), n: kept.params.n }, ({ keep, own, n }) => ({
  sum: [...keep, ...own].reduce((sum, data) => sum + (data[7] ?? 0), 0),
  n,
}));
export default kept;
`;
}

export function keptAnswer(n) {
  return [1, 2, 3, 4, 5, 6, 7, 8].reduce(
    (sum, item) => sum + noise(item, 32)[7] + noise(1000 * n + item, 32)[7],
    0,
  );
}
