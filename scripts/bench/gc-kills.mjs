/**
 * Kills `mf gc` with SIGKILL at random moments, on one home that goes through all of it: after each kill every run that stays passes
 * `mf verify` with nothing missing and gives its answer, and what a collection that is left alone leaves behind is bounded.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keptAnswer, keptFlow } from "./flows.mjs";
import { mfJson, program, runFlow, withFlow } from "./mf.mjs";
import { processesLeft } from "./processes.mjs";

const KEEP = 2;
/** Of its own and of what it shares, in MiB, and what a segment may hold that is dead: after a collection that was left alone. */
const RUN_MIB = 3;
const SHARED_MIB = 3;
const DISK_MIB_MAX = (RUN_MIB * KEEP + SHARED_MIB) * 1.5 + 1;

/** @returns rows with what was wrong in `problems` */
export function gcKills({ times, random, onRow }) {
  return withFlow(keptFlow(), async ({ file, home }) => {
    const campaign = { file, home, random, made: 0, answers: new Map() };
    const window = await undisturbedWindow(campaign);
    const rows = [];
    for (let number = 1; number <= times; number++) {
      const row = { number, ...(await killOnce(campaign, window)) };
      rows.push(row);
      onRow(row);
    }
    const problems = await afterwards(campaign);
    const last = { number: times + 1, killedAfterMs: 0, kept: KEEP, segments: 0, problems };
    rows.push(last);
    onRow(last);
    return rows;
  });
}

/** How long the store is open: what comes before and after says nothing of a collection. */
async function undisturbedWindow(campaign) {
  for (let i = 0; i < KEEP + 2; i++) await addRun(campaign);
  const { openMs } = await gcUntil(campaign, Infinity);
  return { lengthMs: openMs };
}

async function addRun(campaign) {
  const n = ++campaign.made;
  const { run } = await runFlow({ ...campaign, args: ["-p", `n=${n}`] });
  campaign.answers.set(run, keptAnswer(n));
}

async function killOnce(campaign, window) {
  await addRun(campaign);
  await addRun(campaign);
  let killed = await gcUntil(campaign, campaign.random() * window.lengthMs);
  while (!killed.isKilled) {
    window.lengthMs *= 0.9;
    await addRun(campaign);
    await addRun(campaign);
    killed = await gcUntil(campaign, campaign.random() * window.lengthMs);
  }
  const problems = await keptProblems(campaign);
  const left = await processesLeft(campaign.home);
  if (left > 0) problems.push(`${left} processes left`);
  const killedAfterMs = Math.round(killed.openMs);
  return { killedAfterMs, kept: KEEP, segments: segmentsOf(campaign.home).length, problems };
}

/** @returns openMs: from when it holds the store to its end */
async function gcUntil({ home }, ms) {
  const child = spawn(process.execPath, [program, "gc", "--keep", String(KEEP), "--json"], {
    env: { ...process.env, MF_HOME: home },
    stdio: "ignore",
  });
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (_code, signal) => resolve(signal));
  });
  while (!holdsStore(home, child.pid) && child.exitCode === null) await sleep(1);
  const opened = performance.now();
  const timer = ms === Infinity ? undefined : setTimeout(() => child.kill("SIGKILL"), ms);
  const signal = await ended;
  clearTimeout(timer);
  return { isKilled: signal === "SIGKILL", openMs: performance.now() - opened };
}

function holdsStore(home, pid) {
  try {
    return JSON.parse(readFileSync(path.join(home, "lock"), "utf8")).pid === pid;
  } catch {
    return false;
  }
}

/** The newest runs are those that `--keep` keeps, whichever the kill let go. */
async function keptProblems({ home, answers }) {
  const problems = [];
  for (const run of [...answers.keys()].slice(-KEEP)) {
    const { isOk, counts, problems: wrong } = await mfJson(home, ["verify", run]);
    if (!isOk) problems.push(`${run} not verified: ${wrong[0]?.kind}`);
    if (counts.missing > 0) problems.push(`${run}: ${counts.missing} contents missing`);
    if (counts.signed !== counts.tasks) problems.push(`${run}: ${counts.unsigned} unsigned`);
  }
  const [run, answer] = [...answers].at(-KEEP);
  const now = await mfJson(home, ["get", `${run}/sum/sum`]);
  if (now !== answer) problems.push(`${run}: ${now}, not ${answer}`);
  return problems;
}

/** Left alone twice: what the kills left half done is gone, and the same bytes come again where they are asked for. */
async function afterwards(campaign) {
  const { home } = campaign;
  await mfJson(home, ["gc", "--keep", String(KEEP)]);
  await mfJson(home, ["gc", "--keep", String(KEEP)]);
  const problems = await keptProblems(campaign);
  const mib = segmentsOf(home).reduce((sum, { bytes }) => sum + bytes, 0) / 2 ** 20;
  if (mib > DISK_MIB_MAX) problems.push(`${Math.round(mib)} MiB of segments`);
  const again = await runFlow({ ...campaign, args: ["-p", "n=1"] });
  if ((await mfJson(home, ["get", `${again.run}/sum/sum`])) !== keptAnswer(1))
    problems.push("a run that went gives another answer");
  return problems;
}

function segmentsOf(home) {
  const folder = path.join(home, "store/segments");
  return readdirSync(folder).map((name) => ({
    name,
    bytes: statSync(path.join(folder, name)).size,
  }));
}
