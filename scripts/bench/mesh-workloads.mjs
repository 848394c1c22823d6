/**
 * The workloads of a mesh: each starts its own daemons of one core on loopback, measures once, and ends them. `measure(peers)` gives
 * ms of what the figure is made of and, where a command was waited for, of that whole process. `single` is `mf run` of the same flow.
 */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chainFlow, fanOutFlow, foreachFlow, FOREACH_ANSWER, HELLO_FLOW } from "./flows.mjs";
import { cpuFlow, largeFlow, readersFlow } from "./flows.mjs";
import { withMesh } from "./mesh.mjs";
import { root } from "./mf.mjs";
import { calibration, CPU_TASKS, READER_BYTES, READERS, WORKLOADS } from "./workloads.mjs";

const ONE_CORE = ["--cpus", "1"];
const TRANSFER_BYTES = 1024 ** 3;
const SWEEP_TASKS = 240;
const SWEEP_TASK_MS = 50;
/** A reader may come to hold its input's chunks and what belongs to them, not the input twice. */
const ONE_COPY_BYTES = READER_BYTES * 1.1;

export const MESH_WORKLOADS = {
  "mesh-fan-out-10000": {
    unit: "tasks/s",
    peers: [2, 3],
    measure: (peers) => submitted(peers, fanOutFlow(10_000)),
    single: "fan-out-10000",
    figure: ({ ms }) => 10_000_000 / ms,
  },
  "mesh-chain-100": {
    unit: "ms a hop",
    peers: [2],
    measure: (peers) => submitted(peers, chainFlow(100)),
    single: "chain-100",
    figure: ({ ms }) => ms / 100,
  },
  "mesh-cpu-64": {
    unit: "of the ideal",
    peers: [2, 3],
    measure: (peers) => submitted(peers, cpuFlow(CPU_TASKS, calibration().rounds)),
    single: "cpu-64",
    figure: ({ ms }, peers) => (CPU_TASKS * calibration().taskMs) / coresOf(peers) / ms,
  },
  "mesh-readers-16": {
    unit: "s to the last reader",
    peers: [2],
    measure: readers,
    single: "readers-16",
    figure: ({ ms }) => ms / 1000,
  },
  "mesh-transfer-1gib": {
    unit: "MiB/s",
    peers: [2],
    measure: transfer,
    figure: ({ ms }) => TRANSFER_BYTES / 1024 ** 2 / (ms / 1000),
  },
  "mesh-cold-start": {
    unit: "s, whole process",
    peers: [2],
    measure: async (peers) => {
      const { wallMs } = await submitted(peers, HELLO_FLOW);
      return { ms: wallMs, wallMs };
    },
    single: "cold-start",
    figure: ({ ms }) => ms / 1000,
  },
  "mesh-kill-worker": killed((mesh) => mesh.peers.at(-1)),
  "mesh-kill-owner": killed((mesh) => mesh.peers[0]),
};

export function measureSingle(name) {
  return WORKLOADS[name].measure();
}

/** Daemons of one core each cannot use more than the machine has. */
function coresOf(peers) {
  return Math.min(peers, calibration().cores);
}

/** `mf submit` on the first peer, followed to its end: the engine's own time, as `mf run` tells it. */
function submitted(peers, source) {
  return withMesh(peers, (mesh) => submitTo(mesh, "bench", source), ONE_CORE);
}

async function submitTo(mesh, name, source) {
  const file = mesh.flow(name, source);
  const started = performance.now();
  const { run, durationMs } = await mesh.peers[0].json(["submit", file]);
  return { run, wallMs: performance.now() - started, ms: durationMs };
}

/** From the first reader's start to the last one's end, as the owner tells it. @throws where more than one copy came to a peer */
function readers(peers) {
  return withMesh(
    peers,
    async (mesh) => {
      const [owner] = mesh.peers;
      const file = mesh.flow("share", readersFlow(READER_BYTES, READERS));
      const started = performance.now();
      const { run } = await owner.json(["submit", file, "--detach"]);
      let reading;
      const wallMs = await withSide(owner, async (side) => {
        const note = (steps) => (reading = steps.find(({ name }) => name === "read") ?? reading);
        const onEvent = (told) => {
          if (told.t === "progress") note(told.progress.steps);
          else if (told.event.t === "step-finished") note([told.event.progress]);
        };
        const { state } = await side.watch(run, onEvent, new AbortController().signal);
        if (state !== "succeeded") throw new Error(`${run} has ${state}`);
        return performance.now() - started;
      });
      const most = Math.max(...(await Promise.all(mesh.peers.map(contentReceived))));
      if (most > ONE_COPY_BYTES) throw new Error(`${most} bytes came to one peer`);
      return { ms: reading.wallMs, wallMs, wireCopies: most / READER_BYTES };
    },
    ONE_CORE,
  );
}

async function contentReceived(peer) {
  return JSON.parse(await peer.mfd(["status", "--json"])).network.contentBytesReceived;
}

/** Made on one peer, then asked for on another that keeps no copies by itself: one `bring` over its control socket. */
function transfer() {
  return withMesh(
    1,
    async (mesh) => {
      const [maker] = mesh.peers;
      await maker.mf(["submit", mesh.flow("large", largeFlow(TRANSFER_BYTES)), "--quiet"]);
      const [{ id }] = await maker.json(["ls-versions", "large/make/data"]);
      const reader = await mesh.add(["--roles", "submit,work"]);
      await mesh.settled(2);
      return withSide(reader, async (side) => {
        const started = performance.now();
        await side.bring([id], () => undefined, new AbortController().signal);
        const ms = performance.now() - started;
        const { loopDelayMs } = await side.daemonStatus();
        return { ms, wallMs: ms, loopP99Ms: loopDelayMs };
      });
    },
    ONE_CORE,
  );
}

/**
 * The sweep in peace, then again with `victim` ended by SIGKILL half-way, from a peer that stays. The figure is seconds over the
 * ideal: what was left at that moment, shared by those who are left.
 */
function killed(victim) {
  return {
    unit: "s over the ideal",
    peers: [2, 3],
    measure: (peers) => withMesh(peers, (mesh) => disturbed(mesh, victim(mesh)), ONE_CORE),
    figure: ({ ms }) => ms / 1000,
  };
}

async function disturbed(mesh, victim) {
  const peers = mesh.peers.length;
  const watcher =
    mesh.peers.find((peer) => peer !== victim && peer !== mesh.peers[0]) ?? mesh.peers[0];
  // Step hosts that have to start first would pass for the time of the undisturbed run.
  await sweep(mesh, watcher, async () => undefined);
  const inPeace = await sweep(mesh, watcher, async () => undefined);
  let killedAtMs;
  const { wallMs } = await sweep(mesh, watcher, async (atMs) => {
    killedAtMs = atMs;
    await victim.kill();
  });
  if (killedAtMs === undefined) throw new Error("the run was over before anybody was killed");
  const restMs = Math.max(0, inPeace.wallMs - killedAtMs);
  const idealMs = killedAtMs + (restMs * peers) / (peers - 1);
  const overUndisturbedMs = wallMs - inPeace.wallMs;
  return { ms: wallMs - idealMs, wallMs, overUndisturbedMs };
}

/** @param halfWay is told once, with the ms since the submission. @throws where the answer is wrong */
async function sweep(mesh, watcher, halfWay) {
  const file = mesh.flow("sweep", foreachFlow(SWEEP_TASKS, SWEEP_TASK_MS));
  const { run } = await mesh.peers[0].json(["submit", file, "--detach", "--no-cache"]);
  const started = performance.now();
  let disturbing = Promise.resolve();
  let isHalfWay = false;
  const wallMs = await withSide(watcher, async (side) => {
    const onEvent = (event) => {
      if (event.t !== "progress" || isHalfWay) return;
      const work = event.progress.steps.find((step) => step.name === "work");
      if (work.succeeded < SWEEP_TASKS / 2) return;
      isHalfWay = true;
      disturbing = halfWay(performance.now() - started);
    };
    await side.watch(run, onEvent, new AbortController().signal);
    return performance.now() - started;
  });
  await disturbing;
  const answer = await watcher.json(["get", `${run}/sum/total`]);
  if (answer !== FOREACH_ANSWER(SWEEP_TASKS)) throw new Error(`${run} answers ${answer}`);
  return { wallMs };
}

async function withSide(peer, use) {
  const file = path.join(root, "dist/src/client/control/control-client.js");
  const { connectDaemon } = await import(pathToFileURL(file).href);
  const connection = await connectDaemon(peer.home);
  if (connection === undefined) throw new Error(`mfd ${peer.name} does not answer`);
  try {
    return await use(connection.side);
  } finally {
    connection.close();
  }
}
