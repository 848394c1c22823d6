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
const ENGINE = ["src/engine", "src/engine/scheduler", "src/task", "src/trust", ...TASK];
const RIM = ["src/wire", "src/env", ...MODEL];
const SUBSYSTEM = ["src/wire", ...ENGINE];

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
  "src/trust": {
    purpose: "who vouches for facts: keys, signed pages of facts",
    imports: [...ARTIFACT, "src/env"],
  },
  "src/wire": {
    purpose: "what peers say to each other: message schemas and limits, the Transport port",
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
  "src/source": {
    purpose: "files outside as inputs: find them, read each at one moment, know them again",
    imports: ["src/code", ...CODE],
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
    imports: ["src/wire", ...ENGINE],
  },
  "src/testing": { purpose: "the public test kit: run a flow or a step in a test", imports: ["*"] },
  cli: {
    purpose: "the mf program: parse, compose the engine, render",
    imports: ["*", "src/testing", "daemon/admission"],
  },
  "daemon/config": { purpose: "the daemon's home, options and knobs", imports: RIM },
  "daemon/observe": { purpose: "the daemon's log file and its rotation", imports: RIM },
  "daemon/machine": { purpose: "what this machine has and how loaded it is", imports: RIM },
  "daemon/net": {
    purpose: "the Transport over libp2p: Noise, yamux, framing, dialling, limits",
    imports: RIM,
  },
  "daemon/admission": {
    purpose: "who may join: identity, tickets, certificates, revocation",
    imports: ["src/trust", ...RIM],
  },
  "daemon/membership": {
    purpose: "who is alive: probes, suspicion, refutation, load records",
    imports: RIM,
  },
  "daemon/bulk": {
    purpose: "content between peers: want, have, fetch, verify, spread",
    imports: SUBSYSTEM,
  },
  "daemon/placement": {
    purpose: "which peer runs a batch: probes, offers, grants, pulls, attempts of others",
    imports: SUBSYSTEM,
  },
  "daemon/sharing": {
    purpose: "facts of other peers, and one execution for each memo key across the mesh",
    imports: SUBSYSTEM,
  },
  "daemon/ownership": {
    purpose: "who schedules a run: keepers, journals of others, take-over",
    imports: SUBSYSTEM,
  },
  "daemon/marks": {
    purpose: "tags, notes, pins and removals: the same on every peer",
    imports: ["src/client", ...SUBSYSTEM],
  },
  "daemon/catalog": {
    purpose: "runs, versions and logs of the whole mesh, asked of its peers",
    imports: ["src/client", ...SUBSYSTEM],
  },
  "daemon/collection": {
    purpose: "removal in a mesh: every peer frees what no run needs any more",
    imports: ["src/client", ...SUBSYSTEM],
  },
  "daemon/control": {
    purpose: "what mf may ask of its daemon, over the control socket",
    imports: ["src/client", ...SUBSYSTEM],
  },
  daemon: {
    purpose: "the mfd program: the composition of all this, and the process",
    imports: [
      "*",
      "cli",
      "daemon/config",
      "daemon/observe",
      "daemon/machine",
      "daemon/net",
      "daemon/admission",
      "daemon/membership",
      "daemon/bulk",
      "daemon/placement",
      "daemon/sharing",
      "daemon/ownership",
      "daemon/marks",
      "daemon/catalog",
      "daemon/collection",
      "daemon/control",
    ],
  },
  test: { purpose: "tests; nothing imports them", imports: ["*", "cli", "daemon"] },
};

/** Layers of the table that have no file yet; a planned layer that gets a file must leave this list. */
export const PLANNED: readonly string[] = [];

/** Files that stand above the layers: entry points and composition roots. Only test/ may import them. */
export const ROOTS: readonly string[] = [
  "src/index.ts",
  "src/testing/index.ts",
  "src/client/index.ts",
  "daemon/main.ts",
  "cli/main.ts",
];

/** Each third-party package has one owner (a short list where two truly need it), so replacing it changes one folder. */
export const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "@hpcc-js/wasm-graphviz": ["src/graph/draw"],
  acorn: ["src/code"],
  commander: ["cli", "daemon"],
  esbuild: ["src/code"],
  "eslint-scope": ["src/code"],
  estree: ["src/code"],
  "fast-check": ["test"],
  "@chainsafe/libp2p-noise": ["daemon/net"],
  "@libp2p/crypto": ["daemon/net"],
  "@libp2p/interface": ["daemon/net"],
  "@libp2p/mdns": ["daemon/net"],
  "@libp2p/peer-id": ["daemon/net"],
  "@libp2p/tcp": ["daemon/net"],
  "@libp2p/yamux": ["daemon/net"],
  "@multiformats/multiaddr": ["daemon/net"],
  level: ["src/store"],
  libp2p: ["daemon/net"],
  msgpackr: ["src/artifact", "src/task", "src/wire"],
  piscina: ["src/engine/hosts", "src/store", "test/bench"],
  systeminformation: ["daemon/machine"],
  typescript: ["src/code"],
  valibot: ["src/wire", "daemon/admission", "test"],
  "vega-datasets": ["test"],
  zod: ["test"],
};
