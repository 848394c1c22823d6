/**
 * What the bulk lane carries: content made by one process is brought by another, over TLS, hashed, written and synced. Tickets and
 * questions go over the processes' own channel here; the lane is the real one. `node scripts/bench/bulk.mjs [MiB] [runs]`, after a build.
 */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";

const MIB = 1024 * 1024;
const dist = new URL("../../dist/", import.meta.url);
const load = (name) => import(new URL(name, dist));

if (process.env.MF_BENCH_PEER === undefined) await measure();
else await peer(process.env.MF_BENCH_PEER, process.env.MF_BENCH_HOME);

async function measure() {
  const [mib = "1024", runs = "3"] = process.argv.slice(2);
  const base = mkdtempSync(path.join(process.env.MF_BENCH_DIR ?? os.tmpdir(), "mf-bench-bulk-"));
  const peers = [];
  const start = (name) => {
    const env = { ...process.env, MF_BENCH_PEER: name, MF_BENCH_HOME: path.join(base, name) };
    const child = fork(fileURLToPath(import.meta.url), { env, serialization: "advanced" });
    child.setMaxListeners(0);
    peers.push(child);
    return child;
  };
  const ask = async (child, question) => {
    child.send({ bench: question });
    for (;;) {
      const [message] = await once(child, "message");
      if (message.bench !== undefined) return message.bench;
    }
  };
  try {
    const maker = start("a");
    const { id } = await ask(maker, { make: Number(mib) * MIB });
    for (let run = 0; run < Number(runs); run++) {
      const taker = start(`b${run}`);
      const relay = (from, to) => (message) => message.net !== undefined && to.send(message);
      const there = relay(taker, maker);
      const back = relay(maker, taker);
      taker.on("message", there);
      maker.on("message", back);
      await ask(maker, { reset: true });
      const taken = await ask(taker, { bring: id });
      const made = await ask(maker, { stats: true });
      maker.off("message", back);
      taker.kill("SIGKILL");
      await once(taker, "exit");
      rmSync(path.join(base, `b${run}`), { recursive: true, force: true });
      process.stdout.write(
        `${JSON.stringify({ mibPerSecond: Math.round((Number(mib) / taken.ms) * 1000), taken, made })}\n`,
      );
    }
  } finally {
    for (const child of peers) child.kill("SIGKILL");
    rmSync(base, { recursive: true, force: true });
  }
}

async function peer(name, home) {
  const { openStore } = await load("src/store/open-store.js");
  const { createBulk } = await load("daemon/bulk/bulk.js");
  const { systemClock } = await load("src/env/clock.js");
  const { systemRandom } = await load("src/env/random.js");
  const { silentLogger } = await load("src/env/logger.js");
  const env = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const store = await openStore(home, env);
  const transport = channelTransport(name);
  const directory = {
    self: name,
    peers: () => [],
    get: () => undefined,
    subscribe: () => () => undefined,
  };
  const bulk = createBulk({ ...env, transport, directory, store, home, host: "127.0.0.1" });
  bulk.start();
  const loop = monitorEventLoopDelay({ resolution: 1 });
  let cpu = process.cpuUsage();
  const figures = (ms) => {
    const { user, system } = process.cpuUsage(cpu);
    const round = (nanos) => Math.round(nanos / 1e4) / 100;
    return {
      ms: Math.round(ms),
      cpuMs: Math.round((user + system) / 1000),
      loopP99Ms: round(loop.percentile(99)),
      loopMaxMs: round(loop.max),
      rssMib: Math.round(process.memoryUsage.rss() / MIB),
    };
  };
  const reset = () => {
    cpu = process.cpuUsage();
    loop.enable();
    loop.reset();
  };
  process.on("message", async ({ bench }) => {
    if (bench?.make !== undefined)
      process.send({ bench: await store.putBytes(noise(bench.make), "raw") });
    if (bench?.reset !== undefined) process.send({ bench: reset() ?? true });
    if (bench?.stats !== undefined) process.send({ bench: figures(0) });
    if (bench?.bring === undefined) return;
    reset();
    const started = performance.now();
    await bulk.bring([bench.bring], { hints: ["a"] });
    process.send({ bench: figures(performance.now() - started) });
  });
}

/** Random bytes, fast: nothing repeats within a chunk. */
function noise(bytes) {
  const data = Buffer.alloc(bytes);
  const block = randomBytes(16 * MIB);
  for (let at = 0; at < bytes; at += block.length) {
    block.copy(data, at, 0, Math.min(block.length, bytes - at));
    for (let mark = at; mark + 8 < Math.min(bytes, at + block.length); mark += 65_536)
      data.writeUInt32LE(mark >>> 0, mark);
  }
  return data;
}

/** Requests to the one other peer, over the channel to the parent, which relays. */
function channelTransport(self) {
  const handlers = new Map();
  const waiting = new Map();
  let next = 1;
  process.on("message", async ({ net }) => {
    if (net?.answer !== undefined || net?.failure !== undefined) {
      const { resolve, reject } = waiting.get(net.id);
      waiting.delete(net.id);
      return net.failure === undefined ? resolve(net.answer) : reject(new Error(net.failure));
    }
    if (net === undefined) return undefined;
    const handler = handlers.get(net.name);
    try {
      process.send({ net: { id: net.id, answer: await handler?.(net.from, net.query) } });
    } catch (error) {
      process.send({ net: { id: net.id, failure: String(error) } });
    }
    return undefined;
  });
  return {
    self,
    addresses: () => [],
    handle: (type, handler) => handlers.set(type.name, handler),
    listen: () => undefined,
    send: () => undefined,
    request: (_to, type, query) => {
      const id = next++;
      process.send({ net: { id, from: self, name: type.name, query } });
      return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    },
  };
}
