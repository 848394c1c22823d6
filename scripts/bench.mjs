/**
 * Measures what docs/benchmarks.md explains: each workload through the built `mf run`, and on bare Piscina as the floor; those of a
 * mesh through `mf submit` to daemons on loopback, beside `mf run`.
 *   npm run bench -- [workload…] [--json] [--repeat n]
 *   npm run bench -- --profile [fan-out-10000] [--json]     where the time of a run goes, function by function
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { chainFlow, fanOutFlow } from "./bench/flows.mjs";
import { MESH_WORKLOADS, measureSingle } from "./bench/mesh-workloads.mjs";
import { program, root, runFlow, withFlow } from "./bench/mf.mjs";
import { profileTables } from "./bench/profile-table.mjs";
import { measureVersions, showVersions } from "./bench/versions.mjs";
import { measureStore, WORKLOADS } from "./bench/workloads.mjs";

const PROFILED = { "fan-out-10000": () => fanOutFlow(10_000), "chain-100": () => chainFlow(100) };
const PROFILE_ROWS = 15;
const NAMES = [...Object.keys(WORKLOADS), "store", ...Object.keys(MESH_WORKLOADS)];

const { values: flags, positionals: named } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean" },
    repeat: { type: "string", default: "5" },
    profile: { type: "boolean" },
  },
});
/** Only where it is named: it takes minutes. */
const VERSIONS = "versions";
const known = flags.profile ? Object.keys(PROFILED) : [...NAMES, VERSIONS];
const unknown = named.filter((name) => !known.includes(name));
const repeat = Number(flags.repeat);
if (unknown.length > 0)
  usage(`Unknown workload ${unknown.join(", ")}. Known: ${known.join(", ")}.`);
if (!Number.isInteger(repeat) || repeat < 1) usage("--repeat takes a whole number from 1.");
if (!existsSync(program)) usage("dist/ is missing: run npm run build first.");

const machine = {
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 1024 ** 3),
  node: process.version,
  date: new Date().toISOString(),
};
const say = (line = "") => (flags.json ? undefined : console.log(line));
say(
  `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}, ${machine.date}`,
);
if (flags.profile) await showProfile(named[0] ?? "fan-out-10000");
else await showWorkloads(named.length > 0 ? named : NAMES);

async function showWorkloads(names) {
  const results = [];
  const timedNames = names.filter((name) => name in WORKLOADS);
  if (timedNames.length > 0) {
    say(`\n${repeat} times each: min / median / max`);
    say(row(["workload", "figure", "mf", "bare Piscina", "mf run, whole process, s"]));
    say(row(["---", "---", "---", "---", "---"]));
  }
  for (const name of timedNames) {
    const result = await measure(name);
    results.push(result);
    const cells = [result.figures, result.floor].map(spreadText);
    say(
      row([
        name,
        result.unit,
        ...cells,
        spreadText(spread(result.wallMs.all.map((ms) => ms / 1000))),
      ]),
    );
  }
  const store = names.includes("store") ? measureStore() : undefined;
  if (store !== undefined) showStore(store);
  const mesh = await showMesh(names.filter((name) => name in MESH_WORKLOADS));
  const versions = names.includes(VERSIONS) ? await measureVersions({ repeat }) : undefined;
  if (versions !== undefined) showVersions(versions, say);
  if (flags.json)
    console.log(JSON.stringify({ machine, repeat, results, store, mesh, versions }, null, 2));
}

async function showMesh(names) {
  if (names.length === 0) return [];
  say(`\nA mesh of daemons of one core each, ${repeat} times: min / median / max`);
  say(
    row(["workload", "figure", "daemons", "mesh", "mf run, one machine", "mf submit, s", "also"]),
  );
  say(row(["---", "---", "---", "---", "---", "---", "---"]));
  const results = [];
  for (const name of names) {
    for (const peers of MESH_WORKLOADS[name].peers) {
      const result = await measureMesh(name, peers);
      results.push(result);
      const { unit, figures, single, wallMs, also } = result;
      const more = Object.entries(also).map(([what, figure]) => `${what} ${spreadText(figure)}`);
      const cells = [spreadText(figures), single === undefined ? "" : spreadText(single)];
      const walls = spreadText(spread(wallMs.all.map((ms) => ms / 1000)));
      say(row([name, unit, String(peers), ...cells, walls, more.join(", ")]));
    }
  }
  return results;
}

async function measureMesh(name, peers) {
  const { unit, measure: once, single, figure } = MESH_WORKLOADS[name];
  const runs = [];
  const singles = [];
  for (let i = 0; i < repeat; i++) {
    runs.push(await once(peers));
    if (single !== undefined) singles.push(await measureSingle(single));
  }
  const { ms: _ms, wallMs: _wallMs, run: _run, ...others } = runs[0];
  return {
    name,
    unit,
    peers,
    figures: spread(runs.map((run) => figure(run, peers))),
    single:
      single === undefined
        ? undefined
        : spread(singles.map(({ ms }) => WORKLOADS[single].figure(ms))),
    ms: spread(runs.map((run) => run.ms)),
    wallMs: spread(runs.map((run) => run.wallMs)),
    also: Object.fromEntries(
      Object.keys(others).map((what) => [what, spread(runs.map((run) => run[what]))]),
    ),
  };
}

async function measure(name) {
  const { unit, measure: once, floor, figure } = WORKLOADS[name];
  const runs = [];
  const floors = [];
  for (let i = 0; i < repeat; i++) {
    runs.push(await once());
    floors.push(await floor());
  }
  return {
    name,
    unit,
    figures: spread(runs.map((run) => figure(run.ms))),
    floor: spread(floors.map((ms) => figure(ms))),
    ms: spread(runs.map((run) => run.ms)),
    floorMs: spread(floors),
    wallMs: spread(runs.map((run) => run.wallMs)),
  };
}

function showStore(store) {
  say(`\nMiB/s, every put durable when it returns`);
  say(row(["value", "store put", "store get", "again", "plain file put", "plain file get"]));
  say(row(["---", "---", "---", "---", "---", "---"]));
  for (const { size, ...rates } of store) {
    say(
      row([`${size / 1024} KiB`, ...Object.values(rates).map((rate) => String(Math.round(rate)))]),
    );
  }
}

async function showProfile(name) {
  const folder = mkdtempSync(path.join(tmpdir(), "mf-bench-profile-"));
  const hook = pathToFileURL(path.join(root, "scripts/bench/profile-hook.mjs")).href;
  mkdirSync(folder, { recursive: true });
  try {
    const env = { MF_BENCH_PROFILES: folder, NODE_OPTIONS: `--import=${hook}` };
    const ran = await withFlow(PROFILED[name](), (flow) => runFlow({ ...flow, env }));
    const tables = profileTables(folder, { root, top: PROFILE_ROWS });
    if (flags.json) return console.log(JSON.stringify({ machine, name, ran, tables }, null, 2));
    say(
      `${name} under the profiler: ${Math.round(ran.durationMs)} ms. Self time, idle time left out.`,
    );
    for (const table of tables) {
      say(`\n${table.title}: busy ${table.busyMs} ms`);
      say(row(["ms", "share", "function", "place"]));
      say(row(["---", "---", "---", "---"]));
      for (const { ms, share, name, place } of table.rows)
        say(row([String(ms), `${(share * 100).toFixed(1)} %`, name, place]));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function spread(all) {
  const sorted = all.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { min: sorted[0], median, max: sorted.at(-1), all };
}

function spreadText({ min, median, max }) {
  return [min, median, max].map(numberText).join(" / ");
}

function numberText(value) {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

function row(cells) {
  return `| ${cells.join(" | ")} |`;
}

function usage(message) {
  console.error(message);
  process.exit(2);
}
