/**
 * The kill storm: four daemons, of which a random one is killed (SIGKILL) every few seconds and started again, or hangs for a while, owners included,
 * while sweeps with a known answer are submitted one after another. Every run must succeed with the right answer; in the end no
 * task stands twice in a journal, the journals of all peers are equal, and no process is left.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { randomOf } from "./chance.mjs";
import { foreachFlow, FOREACH_ANSWER } from "./flows.mjs";
import { journalProblems, standstills } from "./journal.mjs";
import { withMesh } from "./mesh.mjs";
import { processesLeft } from "./processes.mjs";

const PEERS = 4;
const TASKS = 300;
const TASK_MS = 60;
/** A run of about 6 s that takes this long hangs. */
const RUN_MS_MAX = 60_000;
const ASK_MS = 500;
/** Of the disturbances: stopped and continued instead of killed. Membership calls a silent peer dead after 5 to 9 s. */
const HANG_SHARE = 0.3;
const HANG_MS_MAX = 15_000;
/** Holders that missed the end ask for it every 30 s. */
const AGREE_ROUNDS_MAX = 4;
const AGREE_WAIT_MS = 12_000;

/** @returns what happened, with `problems` @param say gets a line for each run */
export async function storm({ seconds, seed, killers, say }) {
  const random = randomOf(seed);
  const state = { kills: 0, slowestStartMs: 0, hangs: 0, isOver: false, lost: 0, down: new Set() };
  const runs = [];
  const problems = [];
  let folder;
  say(`storm: seed ${seed}, ${seconds} s, ${killers} down at once at most`);
  await withMesh(
    PEERS,
    async (mesh) => {
      folder = path.dirname(mesh.peers[0].home);
      const until = performance.now() + seconds * 1_000;
      const killing = Array.from({ length: killers }, (_, i) =>
        killOften(mesh, { random: randomOf(seed + 1 + i), state, say }).catch((error) => {
          problems.push(error.message);
          state.isOver = true;
        }),
      );
      try {
        for (let i = 1; performance.now() < until && !state.isOver; i++) {
          const run = await oneSweep(mesh, { number: i, random, state });
          runs.push(run);
          problems.push(...run.problems);
          say(`  ${JSON.stringify(run)}`);
          if (run.problems.length > 0) break;
        }
      } finally {
        state.isOver = true;
        await Promise.all(killing);
      }
      await mesh.settled(PEERS);
      const agreed = await agreeing(mesh, say);
      state.agreedAfterRounds = agreed.rounds;
      problems.push(...agreed.problems);
      state.standstills = await standstills(mesh.peers[0].home);
      if (problems.length > 0) say(`  kept: ${keepLogs(mesh, seed)}`);
    },
    ["--cpus", "2"],
  );
  const left = await processesLeft(folder);
  if (left > 0) problems.push(`${left} processes left`);
  const walls = runs.map((run) => run.wallMs);
  return {
    seed,
    runs: runs.length,
    kills: state.kills,
    hangs: state.hangs,
    unansweredSubmits: state.lost,
    slowestStartMs: Math.round(state.slowestStartMs),
    wallMs: { shortest: Math.min(...walls), longest: Math.max(...walls) },
    attemptsBeyond: runs.reduce((sum, run) => sum + run.attemptsBeyond, 0),
    agreedAfterRounds: state.agreedAfterRounds,
    standstills: state.standstills,
    problems,
  };
}

/** A run has three copies, so up to two peers may be down at once and nothing is lost. */
async function killOften(mesh, { random, state, say }) {
  while (!state.isOver) {
    await sleep(1_000 + random() * 4_000);
    const able = mesh.peers.filter((peer) => !state.down.has(peer));
    const peer = able[Math.floor(random() * able.length)];
    if (state.isOver) return;
    state.down.add(peer);
    if (random() < HANG_SHARE) await hang(peer, { random, state, say });
    else await killAndStart(peer, { random, state, say });
    state.down.delete(peer);
  }
}

async function killAndStart(peer, { random, state, say }) {
  await peer.kill();
  state.kills++;
  say(`  ${peer.name} killed`);
  await sleep(random() * 3_000);
  state.slowestStartMs = Math.max(state.slowestStartMs, await peer.start());
}

/** It keeps its connections, is taken for dead, and comes back as if nothing had happened. */
async function hang(peer, { random, state, say }) {
  const ms = HANG_MS_MAX * (0.2 + 0.8 * random());
  peer.child.kill("SIGSTOP");
  state.hangs++;
  say(`  ${peer.name} hangs for ${Math.round(ms)} ms`);
  await sleep(ms);
  peer.child.kill("SIGCONT");
}

async function oneSweep(mesh, { number, random, state }) {
  const file = mesh.flow(`sweep${number}`, foreachFlow(TASKS, TASK_MS, number));
  const started = performance.now();
  const run = await submitted(mesh, { file, random, state });
  const status = await ended(mesh, run, { random, state });
  const wallMs = Math.round(performance.now() - started);
  const problems = [];
  if (status?.state !== "succeeded")
    problems.push(`${run}: ${status?.state ?? "no end"} after ${wallMs} ms`);
  else {
    const answer = await anybody(mesh, { random, state }, ["get", `${run}/sum/total`]);
    if (answer !== FOREACH_ANSWER(TASKS, number)) problems.push(`${run}: answer ${answer}`);
  }
  const attemptsBeyond = (status?.attempts.total ?? 0) - (TASKS + 2);
  return { run, wallMs, owner: status?.owner, attemptsBeyond, problems };
}

/** A submit that its peer's death left unanswered is made again elsewhere; what it began must end well too (the journals tell). */
async function submitted(mesh, { file, random, state }) {
  const until = performance.now() + RUN_MS_MAX;
  for (;;) {
    const peer = anyRunning(mesh, { random, state });
    try {
      return (await peer.json(["submit", file, "--detach"])).run;
    } catch (error) {
      state.lost++;
      if (peer.isRunning && performance.now() > until) throw error;
      await sleep(ASK_MS);
    }
  }
}

/** The status of the ended run, or the last one heard. */
async function ended(mesh, run, { random, state }) {
  const until = performance.now() + RUN_MS_MAX;
  let status;
  while (performance.now() < until) {
    status = (await maybe(anyRunning(mesh, { random, state }).json(["status", run]))) ?? status;
    if (["succeeded", "failed", "cancelled"].includes(status?.state)) return status;
    await sleep(ASK_MS);
  }
  return status;
}

async function anybody(mesh, { random, state }, argv) {
  const until = performance.now() + RUN_MS_MAX;
  for (;;) {
    try {
      return await anyRunning(mesh, { random, state }).json(argv);
    } catch (error) {
      if (performance.now() > until) return `none: ${error.message.slice(0, 300)}`;
      await sleep(ASK_MS);
    }
  }
}

function anyRunning(mesh, { random, state }) {
  const running = mesh.peers.filter((peer) => peer.isRunning && !state.down.has(peer));
  return running[Math.floor(random() * running.length)];
}

/** Stops all, compares; where they differ all start again and have a while to catch up. */
async function agreeing(mesh, say) {
  for (let rounds = 1; ; rounds++) {
    await sleep(AGREE_WAIT_MS);
    await Promise.all(mesh.peers.map((peer) => peer.kill("SIGTERM")));
    const problems = await journalProblems(mesh.peers.map((peer) => peer.home));
    if (problems.length === 0 || rounds === AGREE_ROUNDS_MAX) return { rounds, problems };
    for (const problem of problems) say(`  not yet: ${problem}`);
    await Promise.all(mesh.peers.map((peer) => peer.start()));
  }
}

function keepLogs(mesh, seed) {
  const folder = path.join(tmpdir(), `mf-storm-${seed}`);
  mkdirSync(folder, { recursive: true });
  for (const peer of mesh.peers) writeFileSync(path.join(folder, `${peer.name}.log`), peer.log());
  return folder;
}

function maybe(promise) {
  return promise.catch(() => undefined);
}
