/** The workloads: each measures mf once and bare Piscina once, in the same run on the same machine. All results in ms. */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import path from "node:path";
import { chainFlow, cpuFlow, fanOutFlow, HELLO_FLOW, readersFlow } from "./flows.mjs";
import { chainFloor, cpuFloor, fanOutFloor, onPiscina, readersFloor } from "./floor.mjs";
import { burn } from "./piscina-worker.mjs";
import { readJournal } from "./journal.mjs";
import { root, runFlow, withFlow } from "./mf.mjs";

const cores = availableParallelism();
export const READER_BYTES = 100_000_000;
export const READERS = 16;
export const CPU_TASKS = 64;
const CPU_TASK_MS = 50;

export const WORKLOADS = {
  "fan-out-1000": fanOut(1_000),
  "fan-out-10000": fanOut(10_000),
  "chain-100": {
    unit: "ms a hop",
    measure: () => timed(chainFlow(100)),
    floor: () => onPiscina(cores, chainFloor(100)),
    figure: (ms) => ms / 100,
  },
  "cpu-64": cpuBound(),
  "readers-16": {
    unit: "s to the last reader",
    measure: () => withFlow(readersFlow(READER_BYTES, READERS), measureReaders),
    floor: () => onPiscina(cores, readersFloor(READER_BYTES, READERS)),
    figure: (ms) => ms / 1000,
  },
  "cold-start": {
    unit: "s, whole process",
    measure: async () => {
      const { wallMs } = await timed(HELLO_FLOW);
      return { wallMs, ms: wallMs };
    },
    floor: () => Promise.resolve(coldFloor()),
    figure: (ms) => ms / 1000,
  },
};

/** Store and plain files, MiB/s: { size, put, get, filePut, fileGet } */
export function measureStore() {
  const program = path.join(root, "dist/test/bench/store.bench.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "--json"], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`store.bench ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

/** `ms` is what the figure is made of: the engine's own time from the run's start to its last commit. */
async function timed(source) {
  const { wallMs, durationMs } = await withFlow(source, runFlow);
  return { wallMs, ms: durationMs };
}

function fanOut(count) {
  return {
    unit: "tasks/s",
    measure: () => timed(fanOutFlow(count)),
    floor: () => onPiscina(cores, fanOutFloor(count)),
    figure: (ms) => (count * 1000) / ms,
  };
}

function cpuBound() {
  return {
    unit: "of the ideal",
    measure: () => timed(cpuFlow(CPU_TASKS, calibration().rounds)),
    floor: () => onPiscina(cores, cpuFloor(CPU_TASKS, calibration().rounds)),
    figure: (ms) => (CPU_TASKS * calibration().taskMs) / Math.min(cores, CPU_TASKS) / ms,
  };
}

let calibrated;

/** How many rounds are 50 ms of a core here, measured once: the shortest of five, because what else runs can only lengthen one. */
export function calibration() {
  return (calibrated ??= calibrate());
}

function calibrate() {
  const time = (rounds) => {
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      burn(rounds);
      return performance.now() - started;
    });
    return Math.min(...times);
  };
  burn(200);
  const rounds = Math.round((200 * CPU_TASK_MS) / time(200));
  return { rounds, taskMs: time(rounds), cores };
}

/** From the artifact being durable to the last reader's result being durable, by the run's journal. */
async function measureReaders({ file, home }) {
  const { run, wallMs } = await runFlow({ file, home });
  const entries = await readJournal(home, run);
  const times = (step) =>
    entries
      .filter((entry) => entry.tasks?.some((task) => task.step === step))
      .map((entry) => entry.at);
  return { wallMs, ms: Math.max(...times("read")) - Math.max(...times("make")) };
}

/** A Node process that starts a pool of one thread and calls it once. */
function coldFloor() {
  const worker = path.join(root, "scripts/bench/piscina-worker.mjs");
  const code = `import { Piscina } from "piscina";
const pool = new Piscina({ filename: ${JSON.stringify(worker)}, maxThreads: 1 });
await pool.run(1, { name: "noop" });
await pool.destroy();`;
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    cwd: root,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the floor of cold-start ended with ${status}: ${stderr}`);
  return performance.now() - started;
}
