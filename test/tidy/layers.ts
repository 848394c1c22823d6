/**
 * The architecture, as data: every folder of code, what it is for, and which folders it may import. An import points down
 * this table or it is a violation (imports.test.ts). README's map of the code is printed from here (scripts/docs.mjs).
 */
export interface Layer {
  readonly purpose: string;
  /** Folders that this one may import, besides itself. "*" is all of src. */
  readonly imports: readonly string[];
}

const MODEL = ["src/model", "src/std"];
const ARTIFACT = ["src/graph", "src/artifact", ...MODEL];
const CODE = ["src/flow", ...ARTIFACT, "src/env"];
const TASK = ["src/store", "src/code", ...CODE];
const ENGINE = ["src/engine", "src/engine/scheduler", "src/task", ...TASK];

/** From the bottom up. A file belongs to the longest folder that holds it. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  "src/std": { purpose: "domain-free pieces: assert, backoff, bytes, queues", imports: [] },
  "src/env": {
    purpose: "every source of nondeterminism as an interface: clock, random, logger",
    imports: ["src/std"],
  },
  "src/model": {
    purpose: "the nouns: ids, pathspecs, facts, journal entries, step options, the error table",
    imports: ["src/std"],
  },
  "src/graph": {
    purpose: "the flow graph as data: validate it with named checks, draw it",
    imports: MODEL,
  },
  "src/artifact": {
    purpose: "values to bytes and back: codec, content ids, element tables",
    imports: MODEL,
  },
  "src/flow": {
    purpose: "the authoring SDK: flow, step, each, collect, switch, parameters",
    imports: ARTIFACT,
  },
  "src/code": {
    purpose: "a flow file to code that travels: bundle, slices, code ids, type check",
    imports: CODE,
  },
  "src/store": {
    purpose: "content, facts and journals on disk: segments beside LevelDB",
    imports: [...ARTIFACT, "src/env"],
  },
  "src/task": {
    purpose: "one attempt inside a host: load inputs, call the step, save outputs",
    imports: TASK,
  },
  "src/engine/scheduler": {
    purpose: "what runs next and in which batch: pure functions",
    imports: ["src/graph", ...MODEL],
  },
  "src/engine": {
    purpose: "runs flows: the run machine, step hosts and Python hosts, composition over ports",
    imports: ENGINE,
  },
  "src/client": {
    purpose: "reads runs and artifacts of a home that another process holds",
    imports: ENGINE,
  },
  "src/testing": { purpose: "the public test kit: run a flow or a step in a test", imports: ["*"] },
  cli: {
    purpose: "the mf program: parse, compose the engine, render",
    imports: ["*", "src/testing"],
  },
  daemon: { purpose: "the mfd program: what makes machines a mesh", imports: ["*"] },
  test: { purpose: "tests; nothing imports them", imports: ["*", "cli", "daemon"] },
};

/** Layers of the table that have no file yet; a planned layer that gets a file must leave this list. */
export const PLANNED: readonly string[] = [];

/** Files that stand above the layers: entry points and composition roots. Only test/ may import them. */
export const ROOTS: readonly string[] = [
  "src/index.ts",
  "src/testing/index.ts",
  "daemon/main.ts",
  "cli/main.ts",
];

/** Each third-party package has one owner (a short list where two truly need it), so replacing it changes one folder. */
export const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "@hpcc-js/wasm-graphviz": ["src/graph/draw"],
  acorn: ["src/code"],
  commander: ["cli"],
  esbuild: ["src/code"],
  "eslint-scope": ["src/code"],
  estree: ["src/code"],
  "fast-check": ["test"],
  level: ["src/store"],
  msgpackr: ["src/artifact", "src/task"],
  piscina: ["src/engine/hosts", "src/store", "test/bench"],
  typescript: ["src/code"],
  valibot: ["test"],
  "vega-datasets": ["test"],
  zod: ["test"],
};
