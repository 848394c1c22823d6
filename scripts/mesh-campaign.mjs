/**
 * What a mesh is for, measured on loopback with real daemons:
 *   node scripts/mesh-campaign.mjs [foreach kill-worker kill-owner submitter transfer ten strangers loop repeat same explain collect histories storm]
 *     [--seconds n] [--seed n] [--killers 1|2] [--json]
 * Each scenario prints a line of figures and whether what must hold did. Exit code 1 where something did not.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { collect } from "./bench/collect.mjs";
import { fanOutFlow, foreachFlow, FOREACH_ANSWER, largeFlow } from "./bench/flows.mjs";
import { histories } from "./bench/histories.mjs";
import { program, root } from "./bench/mf.mjs";
import { withMesh } from "./bench/mesh.mjs";
import { repeat } from "./bench/repeat.mjs";
import { same } from "./bench/same.mjs";
import { explain } from "./bench/explain.mjs";
import { storm } from "./bench/storm.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean" },
    seconds: { type: "string", default: "60" },
    killers: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
  },
});
const seconds = Number(flags.seconds);
const seed = Number(flags.seed);
const killers = Number(flags.killers);
/** What noise a resident size may have from one third of the time to the next. */
const FLAT = 1.15;

const SCENARIOS = {
  foreach: () => sweep("foreach", async () => undefined),
  "kill-worker": () => sweep("kill-worker", (mesh) => mesh.peers[2].kill()),
  "kill-owner": () => sweep("kill-owner", (mesh) => mesh.peers[0].kill()),
  submitter: stoppedSubmitter,
  transfer,
  ten: tenDaemons,
  strangers,
  loop: loopDelay,
  repeat,
  same,
  explain: () => explain(flags.json ? undefined : console.log),
  collect,
  histories,
  storm: () => storm({ seconds, seed, killers, say: flags.json ? () => undefined : console.log }),
};
const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
const unknown = names.filter((name) => !(name in SCENARIOS));
if (unknown.length > 0 || !(seconds > 0) || !Number.isInteger(seed) || ![1, 2].includes(killers)) {
  console.error(
    `Scenarios: ${Object.keys(SCENARIOS).join(", ")}; --seconds and --seed take numbers, --killers 1 or 2.`,
  );
  process.exit(2);
}
if (!existsSync(program)) {
  console.error("dist/ is missing: run npm run build first.");
  process.exit(2);
}
const results = [];
for (const name of names) {
  let result;
  try {
    result = { name, ...(await SCENARIOS[name]()) };
  } catch (error) {
    result = { name, problems: [error.message.slice(0, 500)] };
  }
  results.push(result);
  if (!flags.json)
    console.log(`${name}: ${JSON.stringify(result, undefined, 1).replaceAll(/\n\s*/g, " ")}`);
}
if (flags.json) console.log(JSON.stringify(results, undefined, 2));
process.exit(results.some((result) => result.problems.length > 0) ? 1 : 0);

/** 400 tasks of 50 ms over three daemons; `disturb` happens when half of them are done. */
async function sweep(name, disturb) {
  return withMesh(
    3,
    async (mesh) => {
      const [owner, watcher] = mesh.peers;
      const file = mesh.flow("sweep", foreachFlow(400, 50));
      const started = performance.now();
      const { run } = await owner.json(["submit", file, "--detach"]);
      let killedAtMs;
      if (name !== "foreach") {
        await untilDone(watcher, run, 200);
        await disturb(mesh);
        killedAtMs = performance.now() - started;
      }
      await watcher.mf(["watch", run, "--json"]);
      const wallMs = performance.now() - started;
      const status = await watcher.json(["status", run]);
      const answer = await watcher.json(["get", `${run}/sum/total`]);
      const peers = status.steps.find((step) => step.name === "work").peers;
      const problems = answer === FOREACH_ANSWER(400) ? [] : [`answer ${answer}`];
      const ranTwice = status.attempts.total - 402;
      return {
        wallMs: Math.round(wallMs),
        killedAtMs: Math.round(killedAtMs ?? 0),
        owner: status.owner,
        peers,
        attempts: status.attempts,
        ranTwice,
        problems,
      };
    },
    ["--cpus", "1"],
  );
}

async function untilDone(peer, run, count) {
  for (;;) {
    const status = await peer.json(["status", run]).catch(() => undefined);
    const done = status?.steps.find((step) => step.name === "work")?.tasks.succeeded ?? 0;
    if (done >= count) return;
    await sleep(20);
  }
}

async function stoppedSubmitter() {
  return withMesh(
    3,
    async (mesh) => {
      const [a, , c] = mesh.peers;
      const { run } = await c.json([
        "submit",
        mesh.flow("sweep", foreachFlow(400, 50)),
        "--detach",
      ]);
      await sleep(1_000);
      await c.mfd(["stop"]);
      await a.mf(["watch", run, "--json"]);
      const answer = await a.json(["get", `${run}/sum/total`]);
      const { state, owner } = await a.json(["status", run]);
      return {
        state,
        owner,
        problems:
          answer === FOREACH_ANSWER(400) && state === "succeeded"
            ? []
            : [`${state}, answer ${answer}`],
      };
    },
    ["--cpus", "1"],
  );
}

/** 300 MB made on one peer, read on the two others. */
async function transfer() {
  return withMesh(3, async (mesh) => {
    const bytes = 300_000_000;
    const [a, b, c] = mesh.peers;
    const { run } = await a.json(["submit", mesh.flow("large", largeFlow(bytes))]);
    const rows = await a.json(["ls-versions", "large/make/data"]);
    const maker = mesh.peers.find((peer) => rows[0].peers[0] === peer.name);
    const problems = [];
    const rates = {};
    const wholeGetMs = {};
    for (const peer of [a, b, c].filter((one) => one !== maker)) {
      rates[peer.name] = Math.round(bytes / 1e6 / ((await bring(peer, rows[0].id)) / 1_000));
      const started = performance.now();
      await peer.mf(["get", `${run}/make/data`, "--as", "npy", "-o", "/dev/null"]);
      wholeGetMs[peer.name] = Math.round(performance.now() - started);
    }
    const after = await a.json(["ls-versions", "large/make/data"]);
    if (after[0].id !== rows[0].id) problems.push(`id ${rows[0].id} became ${after[0].id}`);
    if (after[0].peers.length < 3) problems.push(`held by ${after[0].peers.join(", ")}`);
    return {
      maker: maker.name,
      id: rows[0].id,
      fetchedMbPerS: rates,
      wholeGetMs,
      heldBy: after[0].peers,
      problems,
    };
  });
}

/** Has the peer's daemon fetch the content: verified and durable there when it answers. @returns ms */
async function bring(peer, id) {
  const { connectDaemon } = await import(
    pathToFileURL(path.join(root, "dist/src/client/control/control-client.js")).href
  );
  const { side, close } = await connectDaemon(peer.home);
  const started = performance.now();
  try {
    await side.bring([id], () => undefined, new AbortController().signal);
    return performance.now() - started;
  } finally {
    close();
  }
}

async function tenDaemons() {
  const started = performance.now();
  return withMesh(
    10,
    async (mesh) => {
      const settledMs = performance.now() - started;
      await sleep(5_000);
      const before = mesh.peers.map((peer) => peer.usage());
      const netBefore = await traffic(mesh);
      await sleep(seconds * 1_000);
      const after = mesh.peers.map((peer) => peer.usage());
      const netAfter = await traffic(mesh);
      const shares = after.map((usage, i) => ((usage.cpuS - before[i].cpuS) / seconds) * 100);
      return {
        startedAndSettledMs: Math.round(settledMs),
        cpuPercentOfACore: {
          median: median(shares).toFixed(2),
          max: Math.max(...shares).toFixed(2),
        },
        rssMb: {
          median: Math.round(median(after.map((usage) => usage.rssMb))),
          max: Math.round(Math.max(...after.map((usage) => usage.rssMb))),
        },
        bytesPerSecondPerPeer: Math.round((netAfter - netBefore) / seconds / mesh.peers.length),
        problems: [],
      };
    },
    ["--cpus", "1"],
  );
}

/** Bytes the daemons have sent to each other so far, by their own counters. */
async function traffic(mesh) {
  let bytes = 0;
  for (const peer of mesh.peers)
    bytes += JSON.parse(await peer.mfd(["status", "--json"])).network?.bytesSent ?? 0;
  return bytes;
}

/** Fifty connections that talk nonsense for a while, next to real work. */
async function strangers() {
  return withMesh(3, async (mesh) => {
    const [a, b] = mesh.peers;
    const { listen } = JSON.parse(await a.mfd(["status", "--json"]));
    const port = Number(/\/tcp\/(\d+)/.exec(listen.join(" "))[1]);
    const before = a.usage().rssMb;
    const until = performance.now() + seconds * 1_000;
    let sent = 0;
    let runs = 0;
    // A heap that was idle grows to its working size once; what must stay flat is what comes after.
    const worst = [before, before, before];
    const started = performance.now();
    let loopDelayMs = 0;
    const talkers = Array.from({ length: 50 }, async () => {
      while (performance.now() < until) {
        const bytes = randomBytes(1 + Math.floor(Math.random() * 65_536));
        sent += bytes.length;
        await nonsense(port, bytes);
        await sleep(10);
      }
    });
    const file = mesh.flow("one", foreachFlow(10, 1));
    while (performance.now() < until) {
      await b.json(["submit", file, "--no-cache"]);
      runs++;
      const third = Math.min(
        2,
        Math.floor((performance.now() - started) / ((seconds * 1_000) / 3)),
      );
      worst[third] = Math.max(worst[third], a.usage().rssMb);
      const status = JSON.parse(await a.mfd(["status", "--json"]));
      loopDelayMs = Math.max(loopDelayMs, status.loopDelayMs);
    }
    await Promise.all(talkers);
    await mesh.settled(3);
    const after = a.usage().rssMb;
    const problems = runs === 0 ? ["no run ended meanwhile"] : [];
    if (Math.max(worst[2], after) > Math.max(worst[0], worst[1]) * FLAT)
      problems.push(`memory grows: ${worst.map(Math.round).join(", ")}, ${Math.round(after)} MB`);
    return {
      seconds,
      sentMb: Math.round(sent / 1e6),
      runsMeanwhile: runs,
      rssMb: {
        before: Math.round(before),
        worstOfEachThird: worst.map(Math.round),
        after: Math.round(after),
      },
      loopDelayMs: Math.round(loopDelayMs * 10) / 10,
      problems,
    };
  });
}

function nonsense(port, bytes) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.on("close", resolve);
    socket.setTimeout(1_000, () => socket.destroy());
    socket.write(bytes);
    socket.resume();
  });
}

/** The control loop's delay while 10,000 tasks run and 1 GiB moves. */
async function loopDelay() {
  return withMesh(2, async (mesh) => {
    const [a, b] = mesh.peers;
    const { run } = await a.json(["submit", mesh.flow("large", largeFlow(1_073_741_824))]);
    const rows = await a.json(["ls-versions", "large/make/data"]);
    const reader = rows[0].peers[0] === a.name ? b : a;
    const fetching = reader.mf(["get", `${run}/make/data`, "--as", "npy", "-o", "/dev/null"]);
    const ran = await a.json(["submit", mesh.flow("fan", fanOutFlow(10_000))]);
    await fetching;
    const delays = await Promise.all(
      mesh.peers.map(async (peer) => JSON.parse(await peer.mfd(["status", "--json"])).loopDelayMs),
    );
    return {
      tasks: ran.tasks.total,
      durationMs: ran.durationMs,
      loopDelayMs: delays,
      problems: [],
    };
  });
}

function median(all) {
  const sorted = all.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
