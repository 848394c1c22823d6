/**
 * Loaded into a daemon: how much of the processor its main thread takes between two turns of its loop (what others on this machine do
 * does not count). SIGUSR2 writes what it was since the last time to MF_BENCH_TURNS. Finer than a tick of the kernel it cannot tell.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const file = process.env.MF_BENCH_TURNS;
if (isMainThread && file !== undefined && process.argv[1]?.endsWith("daemon/main.js")) watch(file);

function watch(to) {
  let stretches = [];
  let before = processorMs();
  const turn = () => {
    const now = processorMs();
    stretches.push(now - before);
    before = now;
    setImmediate(turn);
  };
  setImmediate(turn);
  process.on("SIGUSR2", () => {
    const sorted = Float64Array.from(stretches).sort();
    stretches = [];
    const at = (share) => sorted[Math.floor(sorted.length * share)] ?? 0;
    const told = { turns: sorted.length, p99Ms: at(0.99), p999Ms: at(0.999), maxMs: sorted.at(-1) };
    writeFileSync(`${to}.new`, JSON.stringify(told));
    renameSync(`${to}.new`, to);
    before = processorMs();
  });
}

/** Of this thread; Linux tells it in ns. */
function processorMs() {
  return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[0]) / 1e6;
}
