/**
 * Loaded into every process and thread of a run by NODE_OPTIONS=--import (Node refuses --cpu-prof there, and a step host is
 * killed before it could write one at its end). Each thread writes what it has sampled as a .cpuprofile and goes on:
 * twice a second, when it is about to block in Atomics.wait (a pool's idle threads do), and at its exit.
 */
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector";
import path from "node:path";
import { isMainThread, threadId } from "node:worker_threads";

const folder = process.env.MF_BENCH_PROFILES;
const WRITE_INTERVAL_MS = 500;

if (folder !== undefined) profile(folder);

function profile(folder) {
  const session = new Session();
  session.connect();
  const post = (method, params) => {
    let answer;
    session.post(method, params, (error, result) => {
      if (error === null) answer = result;
    });
    return answer;
  };
  const role = isMainThread ? path.basename(process.argv[1] ?? "node") : `thread-${threadId}`;
  const program = path.basename(process.argv[1] ?? "node", ".js");
  let count = 0;
  let since = performance.now();
  const write = () => {
    const answer = post("Profiler.stop");
    if (answer !== undefined) {
      const name = `${program}.${role}.${process.pid}.${count++}.cpuprofile`;
      writeFileSync(path.join(folder, name), JSON.stringify(answer.profile));
    }
    since = performance.now();
    post("Profiler.start");
  };
  post("Profiler.enable");
  post("Profiler.setSamplingInterval", { interval: 500 });
  post("Profiler.start");

  setInterval(write, WRITE_INTERVAL_MS).unref();
  process.on("exit", write);
  const wait = Atomics.wait;
  Atomics.wait = (...args) => {
    if (performance.now() - since > 100) write();
    return wait(...args);
  };
}
