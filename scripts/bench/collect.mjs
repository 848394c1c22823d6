/**
 * Ten runs over three daemons, two are kept, one daemon is dead meanwhile: bytes on each peer before and after, every kept artifact read
 * at every peer and compared with what it was, and nothing that was removed comes back with the daemon that was away.
 */
import { createHash } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pileFlow } from "./flows.mjs";
import { withMesh } from "./mesh.mjs";

const RUNS = 10;
const KEPT = 2;
/** Of ten runs two stay, and what all share: less than half, with a third of a file that may be dead. */
const SHARE_MAX = 0.5;
/** What is in use in this very moment stays until the next time, so a peer is asked again for a while. */
const WITHIN_MS = 60_000;

/** @returns bytes of the segment files on each peer at each stage, what was freed, with `problems` */
export async function collect() {
  return withMesh(
    3,
    async (mesh) => {
      const [asked, , away] = mesh.peers;
      const problems = [];
      const diskKb = {};
      const measure = (stage) => {
        diskKb[stage] = Object.fromEntries(
          mesh.peers.map(({ name, home }) => [name, Math.round(segmentBytes(home) / 1e3)]),
        );
      };
      const runs = await submitAll(mesh);
      const kept = runs.slice(-KEPT);
      const wanted = await digests(asked, kept);
      // So that there is something to lose at the peer that dies, and it to bring back.
      await digests(away, runs);
      measure("before");
      await away.kill();
      const first = await freed(asked, (report) => report.unanswered.includes(away.name));
      measure("oneAway");
      await away.start();
      await mesh.settled(mesh.peers.length);
      const second = await freed(away, (report) => report.unanswered.length === 0);
      measure("collected");
      // A daemon keeps rewritten files for ten minutes, for readers who know the old places; one that starts does not.
      for (const peer of mesh.peers) {
        await peer.kill("SIGTERM");
        await peer.start();
      }
      await mesh.settled(mesh.peers.length);
      measure("restarted");
      for (const { name } of mesh.peers)
        if (diskKb.restarted[name] > diskKb.before[name] * SHARE_MAX)
          problems.push(`${name} has ${diskKb.restarted[name]} of ${diskKb.before[name]} kB`);
      for (const peer of mesh.peers) problems.push(...(await leftAt(peer, { runs, kept, wanted })));
      return {
        runs: RUNS,
        kept: KEPT,
        diskKb,
        freedKb: Math.round((first.bytes + second.bytes) / 1e3),
        removed: first.removed + second.removed,
        artifactsChecked: wanted.size * mesh.peers.length,
        problems,
      };
    },
    ["--cpus", "1"],
  );
}

function segmentBytes(home) {
  const folder = path.join(home, "store", "segments");
  return readdirSync(folder).reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
}

/** One after another, at a peer each in turn: the newest are the last. */
async function submitAll(mesh) {
  const file = mesh.flow("pile", pileFlow());
  const runs = [];
  for (let n = 0; n < RUNS; n++) {
    const peer = mesh.peers[n % mesh.peers.length];
    runs.push((await peer.json(["submit", file, "--no-check", "-p", `n=${n}`])).run);
  }
  return runs;
}

/** Reads every artifact, which verifies it, and says what its bytes are: pathspec -> sha-256 of the JSON. */
async function digests(peer, runs) {
  const found = new Map();
  for (const run of runs)
    for (const artifact of ["base/table", "own/rows", "own/more", "each/text"]) {
      const text = await peer.mf(["get", `${run}/${artifact}`]);
      found.set(`${run}/${artifact}`, createHash("sha256").update(text).digest("hex"));
    }
  return found;
}

/** Collects until nothing is left to free. @param holds of each report */
async function freed(peer, holds) {
  const sum = { bytes: 0, removed: 0 };
  const started = performance.now();
  for (;;) {
    const report = await peer.json(["gc", "--keep", String(KEPT)]);
    sum.bytes += report.bytes;
    sum.removed += report.removed.length;
    if (report.facts === 0 && report.bytes === 0 && holds(report)) return sum;
    if (performance.now() - started > WITHIN_MS)
      throw new Error(`${peer.name} is not done: ${JSON.stringify(report)}`);
    await sleep(500);
  }
}

/** What is not as it must be at this peer. */
async function leftAt(peer, { runs, kept, wanted }) {
  const problems = [];
  const listed = (await peer.json(["ls", "--all"])).map(({ run }) => run);
  if (listed.toSorted().join() !== kept.toSorted().join())
    problems.push(`${peer.name} lists ${listed.join(", ")}`);
  const versions = await peer.json(["ls-versions", "pile", "--each", "--columns", "all"]);
  const gone = new Set(runs.slice(0, -KEPT));
  for (const { artifact, run, lastRun } of versions)
    if (gone.has(lastRun)) problems.push(`${peer.name} has ${artifact} of ${run}`);
  const found = await digests(peer, kept);
  for (const [artifact, digest] of wanted)
    if (found.get(artifact) !== digest) problems.push(`${peer.name}: ${artifact} differs`);
  for (const run of kept) {
    const { state, isOk } = await peer.json(["verify", run]);
    if (!isOk) problems.push(`${peer.name}: ${run} (${state}) does not verify`);
  }
  return problems;
}
