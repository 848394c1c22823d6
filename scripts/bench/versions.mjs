/**
 * Many versions in one store: lists, filters and addresses through the built `mf`, and how long the same questions
 * hold up the event loop of a daemon. `npm run bench -- versions`, or `node scripts/bench/versions.mjs [--versions 100000] [--repeat 3] [--json]`
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { program, root } from "./mf.mjs";

const TASKS = 100;

/** At exit a process says how much memory it had at most. */
const TELL_MEMORY = `data:text/javascript,process.on("exit",()=>{const u=process.resourceUsage();process.stderr.write("\\nused "+u.maxRSS+" "+(u.userCPUTime+u.systemCPUTime)+"\\n")})`;

const ASKED = [
  ["ls-versions --each --json: all", ["ls-versions", "--each", "--json"]],
  ["ls-versions: at a glance", ["ls-versions"]],
  ["ls-versions lab --each -n 20", ["ls-versions", "lab", "--each", "-n", "20"]],
  ["ls-versions lab/work[7]/v", ["ls-versions", "lab/work[7]/v", "-n", "20"]],
  ["ls-versions --param n=12", ["ls-versions", "--each", "--param", "n=12", "--json"]],
  ["ls-versions --user u3", ["ls-versions", "--each", "--user", "u3", "--json"]],
  ["ls-versions --tag good", ["ls-versions", "--each", "--tag", "good", "--json"]],
  ["ls-versions --since (newest tenth)", ["ls-versions", "--each", "--since", "SINCE", "--json"]],
  ["get lab/latest/work[7]/v", ["get", "lab/latest/work[7]/v"]],
  ["get c:PREFIX", ["get", "c:PREFIX"]],
];

const LISTED = [
  ["ls", ["ls"]],
  ["ls --all --json", ["ls", "--all", "--json", "-n", "100000"]],
];

const daemonProgram = path.join(root, "dist/daemon/main.js");
const LOOP_HOOK = new URL("loop-hook.mjs", import.meta.url).href;

/** @returns {Promise<{ versions, runs, rows: { what, ms, processorMs, rssMiB, bytes }[], loop: { what, turns, p99Ms, p999Ms, maxMs }[] }>} */
export async function measureVersions({ versions = 100_000, repeat = 3 } = {}) {
  const home = mkdtempSync(path.join(tmpdir(), "mf-bench-versions-"));
  try {
    const runs = Math.ceil(versions / TASKS);
    const { prefix, since } = await fill(home, runs);
    const named = { SINCE: since, "c:PREFIX": `c:${prefix}` };
    const rows = [];
    const asked = [...ASKED, ...LISTED].map(([what, argv]) => {
      return { what, argv: argv.map((word) => named[word] ?? word) };
    });
    for (const question of asked) rows.push(ask(home, repeat, question));
    return { versions: runs * TASKS, runs, rows, loop: await loopOf(home, asked) };
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

async function stores() {
  const from = (file) => import(path.join(root, "dist/src", file));
  const { openStore } = await from("store/open-store.js");
  const { systemClock: clock } = await from("env/clock.js");
  const { systemRandom: random } = await from("env/random.js");
  const { silentLogger: logger } = await from("env/logger.js");
  const open = (home) => openStore(home, { clock, random, logger });
  return { open, from };
}

/** Runs of one flow, a second apart, each with 100 tasks whose results nobody had before. */
export async function fill(home, runs) {
  const { open, from } = await stores();
  const { cidOf } = await from("artifact/cid.js");
  const { encodeValue } = await from("artifact/codec.js");
  const { resultIdOf } = await from("artifact/result-id.js");
  const store = await open(home);
  const start = Date.UTC(2026, 0, 1);
  const flowPackage = { graph: { name: "lab", steps: [], params: [], switches: [] }, steps: {} };
  const { id: packageId } = await store.putBytes(Buffer.from(JSON.stringify(flowPackage)), "raw");
  const contentOf = (value) => {
    const { data } = encodeValue(value);
    return { id: cidOf("messagepack", data), data };
  };
  let prefix = "";
  for (let r = 0; r < runs; r++) {
    const made = Array.from({ length: TASKS }, (_, t) => contentOf({ run: r, task: t }));
    if (r === runs >> 1) prefix = made[0].id.slice(0, 24);
    const at = start + r * 1000;
    const facts = made.map((content, t) => factOf(content, { r, t, at }));
    await store.commit(batchOf({ r, at, packageId }, { facts, inline: made, resultIdOf }));
  }
  await store.close();
  return { prefix, since: `${new Date(start + runs * 900).toISOString().slice(0, 16)}Z` };
}

const CODE = "0".repeat(64);

function factOf({ id, data }, { r, t, at }) {
  return {
    v: 1,
    memoKey: String(r * TASKS + t).padStart(64, "a"),
    flow: "lab",
    step: "work",
    code: CODE,
    env: "",
    seed: "s",
    inputs: { i: id },
    outputs: { v: { id, bytes: data.length, kind: "object{2}" } },
    by: "local",
    at,
    wallMs: 5,
    cpuMs: 5,
    rssBytesMax: 1,
  };
}

function batchOf({ r, at, packageId }, { facts, inline, resultIdOf }) {
  const run = { flow: "lab", id: `r${String(r).padStart(9, "0")}` };
  const begun = { user: `u${r % 50}`, file: "lab.ts", bundleId: "b" };
  const tasks = facts.map((fact, t) => {
    const result = resultIdOf(fact);
    return {
      step: "work",
      index: [t],
      memoKey: fact.memoKey,
      result,
      attempt: 0,
      by: "local",
      wallMs: 5,
    };
  });
  const details = { params: {}, paramTexts: { n: String(r % 100) }, versions: {}, seed: "0" };
  const counts = { total: TASKS, succeeded: TASKS, failed: 0, reused: 0, executed: TASKS };
  const tag = { kind: "tag", on: `lab/${run.id}`, name: "good", value: "", at, by: "ada" };
  const entries = [
    { t: "run-started", at, ...begun, packageId, ...details, codes: { work: CODE }, options: {} },
    { t: "tasks-succeeded", at: at + 400, tasks },
    { t: "run-finished", at: at + 500, state: "succeeded" },
  ];
  return {
    facts,
    inline,
    journal: { run, from: 0, entries },
    summary: {
      run,
      state: "succeeded",
      createdAt: at,
      finishedAt: at + 500,
      ...begun,
      counts,
      pid: 1,
    },
    ...(r % 100 === 0 ? { marks: [tag] } : {}),
  };
}

function ask(home, repeat, { what, argv }) {
  const times = [];
  const processors = [];
  let rssMiB = 0;
  let bytes = 0;
  for (let i = 0; i < repeat; i++) {
    const started = performance.now();
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", TELL_MEMORY, program, ...argv],
      { env: { ...process.env, MF_HOME: home }, encoding: "utf8", maxBuffer: 1024 ** 3 },
    );
    if (status !== 0) throw new Error(`mf ${argv.join(" ")} ended with ${status}: ${stderr}`);
    times.push(performance.now() - started);
    const [, rss, processor] = /^used (\d+) (\d+)$/m.exec(stderr) ?? [];
    rssMiB = Math.max(rssMiB, Number(rss ?? 0) / 1024);
    processors.push(Number(processor ?? 0) / 1000);
    bytes = stdout.length;
  }
  const [ms, processorMs] = [times, processors].map((list) =>
    Math.round(list.toSorted((a, b) => a - b)[list.length >> 1]),
  );
  return { what, ms, processorMs, rssMiB: Math.round(rssMiB), bytes };
}

/** Of a daemon that has this home: the longest its main thread was busy without a turn for others, question by question. */
async function loopOf(home, asked) {
  const folder = mkdtempSync(path.join(tmpdir(), "mf-bench-loop-"));
  const file = path.join(folder, "turns.json");
  const child = spawn(
    process.execPath,
    ["--import", LOOP_HOOK, daemonProgram, "start", "--foreground", "--listen", "127.0.0.1:0"],
    { env: { ...process.env, MF_HOME: home, MF_BENCH_TURNS: file }, stdio: "ignore" },
  );
  try {
    const told = async () => {
      rmSync(file, { force: true });
      child.kill("SIGUSR2");
      while (!existsSync(file)) await sleep(20);
      return JSON.parse(readFileSync(file, "utf8"));
    };
    while (asks(home, daemonProgram, ["status", "--json"]).status !== 0) {
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}`);
      await sleep(200);
    }
    const rows = [{ what: "its start", ...(await told()) }];
    for (const { what, argv } of asked) {
      const { status, stderr } = asks(home, program, argv);
      if (status !== 0) throw new Error(`mf ${argv.join(" ")} ended with ${status}: ${stderr}`);
      rows.push({ what, ...(await told()) });
    }
    return rows;
  } finally {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode === null && child.kill()) await gone;
    rmSync(folder, { recursive: true, force: true });
  }
}

function asks(home, file, argv) {
  return spawnSync(process.execPath, [file, ...argv], {
    env: { ...process.env, MF_HOME: home },
    encoding: "utf8",
    maxBuffer: 1024 ** 3,
  });
}

/** For a terminal. */
export function showVersions({ versions, runs, rows, loop }, say) {
  say(`\n${versions} versions in ${runs} runs; each question by a process of its own`);
  say("| asked | ms | processor, ms | peak memory, MiB | answer, KiB |");
  say("| --- | --- | --- | --- | --- |");
  for (const { what, ms, processorMs, rssMiB, bytes } of rows)
    say(`| ${what} | ${ms} | ${processorMs} | ${rssMiB} | ${Math.round(bytes / 1024)} |`);
  say("\nA daemon with this home: its main thread between two turns of its loop, ms of processor");
  say("| meanwhile | turns | p99 | p99.9 | at most |");
  say("| --- | --- | --- | --- | --- |");
  for (const { what, turns, p99Ms, p999Ms, maxMs } of loop)
    say(
      `| ${what} | ${turns} | ${[p99Ms, p999Ms, maxMs].map((ms) => ms.toFixed(1)).join(" | ")} |`,
    );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      versions: { type: "string", default: "100000" },
      json: { type: "boolean" },
      repeat: { type: "string", default: "3" },
    },
  });
  const result = await measureVersions({
    versions: Number(values.versions),
    repeat: Number(values.repeat),
  });
  if (values.json) console.log(JSON.stringify(result, null, 2));
  else showVersions(result, console.log);
}
