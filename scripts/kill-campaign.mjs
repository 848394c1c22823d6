/**
 * Kills `mf run` with SIGKILL at random moments of a sweep and runs it again on the same home:
 *   node scripts/kill-campaign.mjs [--gc] [--times 20] [--seed n] [--json]
 * Each time: the second run's answer is right, every task whose fact was durable at the kill is reused and no fact was
 * lost or changed, and no process of the home is left. Exit code 1 where any of it fails.
 * With --gc it is `mf gc` that is killed, on one home all the while (bench/gc-kills.mjs).
 */
import { spawn } from "node:child_process";
import { cpSync, existsSync, lstatSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { randomOf } from "./bench/chance.mjs";
import { gcKills } from "./bench/gc-kills.mjs";
import { sweepFlow, SWEEP_ANSWER, SWEEP_STEPS, SWEEP_TASKS } from "./bench/flows.mjs";
import { all, readJournal, withStore } from "./bench/journal.mjs";
import { processesLeft } from "./bench/processes.mjs";
import { mfJson, program, runFlow, withFlow } from "./bench/mf.mjs";

const { values: flags } = parseArgs({
  options: {
    gc: { type: "boolean" },
    json: { type: "boolean" },
    times: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
  },
});
const times = Number(flags.times);
const seed = Number(flags.seed);
if (!Number.isInteger(times) || times < 1 || !Number.isInteger(seed)) {
  console.error("--times and --seed take whole numbers.");
  process.exit(2);
}
if (!existsSync(program)) {
  console.error("dist/ is missing: run npm run build first.");
  process.exit(2);
}
const random = randomOf(seed);
const say = (line) => (flags.json ? undefined : console.log(line));

if (flags.gc) process.exit(await gcCampaign());

const undisturbed = await withFlow(sweepFlow(), runFlow);
let windowMs = undisturbed.durationMs;
say(`seed ${seed}; undisturbed: ${Math.round(undisturbed.wallMs)} ms, ${SWEEP_TASKS} tasks\n`);
say("| # | killed after, ms | durable then | reused | executed | answer | left over | verdict |");
say("| --- | --- | --- | --- | --- | --- | --- | --- |");
const rows = [];
for (let i = 1; i <= times; i++) {
  let killed;
  while (killed === undefined) killed = await withFlow(sweepFlow(), killOnce);
  const result = { number: i, ...killed };
  rows.push(result);
  const { killedAfterMs, durable, reused, executed, answer, leftOver, problems } = result;
  const verdict = problems.length === 0 ? "ok" : problems.join("; ");
  const cells = [i, killedAfterMs, durable, reused, executed, answer, leftOver, verdict];
  say(`| ${cells.join(" | ")} |`);
}
const failed = rows.filter((result) => result.problems.length > 0);
say(`\n${times - failed.length} of ${times} ok`);
if (flags.json)
  console.log(JSON.stringify({ seed, undisturbedMs: undisturbed.wallMs, rows }, null, 2));
process.exit(failed.length > 0 ? 1 : 0);

async function gcCampaign() {
  say(`seed ${seed}\n`);
  say("| # | store open, ms | kept | segment files | verdict |");
  say("| --- | --- | --- | --- | --- |");
  const onRow = ({ number, killedAfterMs, kept, segments, problems }) => {
    const verdict = problems.length === 0 ? "ok" : problems.join("; ");
    say(`| ${[number, killedAfterMs, kept, segments, verdict].join(" | ")} |`);
  };
  const rows = await gcKills({ times, random, onRow });
  const failed = rows.filter(({ problems }) => problems.length > 0);
  say(`\n${rows.length - failed.length} of ${rows.length} ok (the last: left alone)`);
  if (flags.json) console.log(JSON.stringify({ seed, rows }, null, 2));
  return failed.length > 0 ? 1 : 0;
}

async function killOnce({ file, home }) {
  const killedAfterMs = await killedRun({ file, home });
  if (killedAfterMs === undefined) return undefined;
  const leftOver = await processesLeft(home);
  // Read from a copy, so that the second run is the first to open what the kill left.
  const copy = `${home}-copy`;
  if (existsSync(home))
    cpSync(home, copy, { recursive: true, filter: (file) => !lstatSync(file).isSocket() });
  const facts = await factsOf(copy);
  const problems = [];
  let ran;
  try {
    ran = await runFlow({ file, home });
  } catch (error) {
    problems.push(`run again: ${error.message.slice(0, 300)}`);
    return {
      killedAfterMs,
      durable: facts.size,
      reused: 0,
      executed: 0,
      answer: "none",
      leftOver,
      problems,
    };
  }
  const answer = await mfJson(home, ["get", `${ran.run}/total/sum`]);
  const { reused, executed, succeeded } = ran.tasks;
  const done = [...facts.values()].filter((fact) => fact.isTask).length;
  if (answer !== SWEEP_ANSWER) problems.push(`answer ${answer}, not ${SWEEP_ANSWER}`);
  if (reused !== done) problems.push(`${done} durable, ${reused} reused`);
  if (succeeded !== SWEEP_TASKS) problems.push(`${succeeded} of ${SWEEP_TASKS} succeeded`);
  problems.push(...(await recomputed(home, ran.run, facts)));
  if (leftOver > 0) problems.push(`${leftOver} processes left`);
  const leftAfter = await processesLeft(home);
  if (leftAfter > 0) problems.push(`${leftAfter} processes left by the second run`);
  return { killedAfterMs, durable: done, reused, executed, answer, leftOver, problems };
}

/**
 * The moment is counted from the first step's log on (one time in five: from the home's creation), because how long Node and
 * the type check take says nothing of the run. A run that ends first was not killed: the window was too long.
 * @returns ms from the process's start to its end by SIGKILL, or undefined.
 */
async function killedRun({ file, home }) {
  const started = performance.now();
  const child = spawn(process.execPath, [program, "run", "--json", file], {
    env: { ...process.env, MF_HOME: home },
    stdio: "ignore",
  });
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (_code, signal) => resolve(signal));
  });
  const from = random() < 0.2 ? home : path.join(home, "logs");
  while (!existsSync(from) && child.exitCode === null) await sleep(2);
  const timer = setTimeout(() => child.kill("SIGKILL"), random() * windowMs);
  const signal = await ended;
  clearTimeout(timer);
  if (signal === "SIGKILL") return Math.round(performance.now() - started);
  windowMs *= 0.7;
  return undefined;
}

/** memoKey -> the fact as text. A fact of the element table of an each() is nobody's task. */
async function factsOf(home) {
  if (!existsSync(home)) return new Map();
  const facts = await withStore(home, (store) => all(store.facts()));
  return new Map(
    facts.map((fact) => [
      fact.memoKey,
      { text: JSON.stringify(fact), isTask: SWEEP_STEPS.has(fact.step) },
    ]),
  );
}

/** By the second run's journal: a durable task that has an attempt was executed again. */
async function recomputed(home, run, before) {
  const entries = await readJournal(home, run);
  const again = entries
    .flatMap((entry) => entry.tasks ?? [])
    .filter((task) => task.attempt !== undefined && before.has(task.memoKey));
  const now = await factsOf(home);
  const changed = [...before].filter(([key, { text }]) => now.get(key)?.text !== text);
  return [
    ...(again.length > 0 ? [`${again.length} durable tasks executed again`] : []),
    ...(changed.length > 0 ? [`${changed.length} facts lost or changed`] : []),
  ];
}
