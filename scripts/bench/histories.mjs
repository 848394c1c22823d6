/**
 * Two homes with histories of their own, made without a daemon, become a mesh: lists, versions and tags must then be the same at both,
 * byte for byte. The variant with 100,000 versions in one store is bench/versions.mjs.
 */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { foreachFlow, pileFlow } from "./flows.mjs";
import { withMesh } from "./mesh.mjs";

const RUNS = 4;
/** Marks and runs of a peer that has joined are known "within half a minute" (docs/versions.md). */
const WITHIN_MS = 60_000;

const ASKED = [
  ["ls", "--all"],
  ["ls", "--all", "--tag", "best"],
  ["ls-versions"],
  ["ls-versions", "--each", "--columns", "all"],
  ["ls-versions", "pile/own/rows", "--each", "--columns", "all"],
  ["ls-versions", "pile/code:own", "--columns", "all"],
  ["ls-versions", "--each", "--param", "n=1"],
  ["ls-versions", "--each", "--tag", "best"],
  ["tag"],
  ["pin"],
  ["get", "pile/latest/own/more"],
  ["get", "pile/@best/own/more"],
];

/** @returns how much was compared and how long it took to agree, with `problems` */
export async function histories() {
  return withMesh(0, async (mesh) => joined(mesh));
}

async function joined(mesh) {
  const [one, other] = [mesh.peer(), mesh.peer()];
  const made = [await past(mesh, one, 0), await past(mesh, other, 2)];
  await mesh.begin(one);
  await mesh.begin(other);
  await mesh.settled(2);
  const started = performance.now();
  let differences = await differing(one, other);
  while (differences.length > 0 && performance.now() - started < WITHIN_MS) {
    await sleep(250);
    differences = await differing(one, other);
  }
  const agreedMs = Math.round(performance.now() - started);
  const runs = await one.json(["ls", "--all"]);
  const versions = await one.json(["ls-versions", "--each", "--columns", "all"]);
  const problems = [...differences];
  const wanted = made.flat().length;
  if (runs.length !== wanted) problems.push(`${runs.length} of ${wanted} runs are listed`);
  return { runs: runs.length, versions: versions.length, asked: ASKED.length, agreedMs, problems };
}

/** Runs of two flows, some with the same parameters as the other home's, a tag of its own and one that both have, a pin. */
async function past(mesh, peer, first) {
  mkdirSync(peer.home, { recursive: true });
  const pile = mesh.flow("pile", pileFlow());
  const runs = [];
  for (let n = first; n < first + RUNS; n++)
    runs.push((await peer.json(["run", pile, "--no-check", "-p", `n=${n}`])).run);
  const sweep = mesh.flow("sweep", foreachFlow(first + 2, 1, first));
  runs.push((await peer.json(["run", sweep, "--no-check"])).run);
  await peer.mf(["tag", runs[1], "best", `of-${path.basename(peer.home)}`]);
  await peer.mf(["pin", runs[0]]);
  return runs;
}

async function differing(one, other) {
  const problems = [];
  for (const argv of ASKED) {
    const [here, there] = await Promise.all(
      [one, other].map((peer) => peer.mf([...argv, "--json"])),
    );
    if (here !== there) problems.push(`${argv.join(" ")}: ${firstDifference(here, there)}`);
  }
  return problems;
}

/** Where it begins: all of JSON is one line. */
function firstDifference(here, there) {
  let at = 0;
  while (here[at] === there[at]) at++;
  const from = Math.max(0, at - 80);
  return `${here.slice(from, at + 40)} | ${there.slice(from, at + 40)}`;
}
