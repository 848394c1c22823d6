/**
 * The mesh's transport between two processes on loopback: requests one at a time and 64 in flight, bytes per second in answers of
 * 1 MiB, the time of a small request beside these, the delay of a dial, and the cost of an idle link.
 * Usage: node scripts/bench/net.mjs (after npm run build)
 */
import { fork } from "node:child_process";
import { monitorEventLoopDelay } from "node:perf_hooks";
import process from "node:process";
import * as v from "valibot";

const dist = new URL("../../dist/", import.meta.url);
const { startPeer } = await import(new URL("test/support/libp2p-peers.js", dist));
const { message } = await import(new URL("src/wire/message.js", dist));

const small = message(v.object({ n: v.number(), pad: v.instance(Uint8Array) }));
const big = message(v.object({ data: v.instance(Uint8Array) }), 2 * 1024 * 1024);
const echo = { name: "/mf/bench/1/echo", query: small, answer: small };
const fetch = { name: "/mf/bench/1/fetch", query: small, answer: big };
const usage = { name: "/mf/bench/1/usage", query: small, answer: message(v.any()) };
const options = { timeoutMs: 60_000 };
const pad = new Uint8Array(900);

if (process.argv[2] === "serve") await serve();
else await measure();

async function serve() {
  const peer = await startPeer(2);
  const data = new Uint8Array(1024 * 1024).fill(7);
  peer.handle(echo, async (_, query) => query);
  peer.handle(fetch, async () => ({ data }));
  peer.handle(usage, async () => ({
    cpu: process.cpuUsage(),
    rssMb: process.memoryUsage.rss() / 2 ** 20,
  }));
  process.send({ self: peer.self, addresses: peer.addresses() });
  process.on("disconnect", () => peer.stop().then(() => process.exit(0)));
}

async function measure() {
  const child = fork(new URL(import.meta.url), ["serve"]);
  const { self, addresses } = await new Promise((resolve) => child.once("message", resolve));
  const peer = await startPeer(1);
  const dialStart = performance.now();
  const connected = new Promise((resolve) => {
    const stop = peer.subscribe((event) => {
      if (event.t !== "connected") return;
      stop();
      resolve();
    });
  });
  peer.keep(self, addresses);
  await connected;
  line("dial and greeting, cold", `${(performance.now() - dialStart).toFixed(0)} ms`);

  const ask = (n) => peer.request(self, echo, { n, pad }, options);
  for (let i = 0; i < 2_000; i++) await ask(i);
  const alone = await times(2_000, 1, ask);
  line("1 KB request, one at a time", `p50 ${at(alone, 0.5)} ms  p99 ${at(alone, 0.99)} ms`);
  for (const inFlight of [8, 64, 256]) {
    const from = performance.now();
    const all = await times(20_000, inFlight, ask);
    const rate = 20_000 / ((performance.now() - from) / 1_000);
    line(`... ${inFlight} in flight`, `${rate.toFixed(0)}/s  p99 ${at(all, 0.99)} ms`);
  }

  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const before = process.cpuUsage();
  const bulkStart = performance.now();
  const bytesTotal = 512;
  const done = new AbortController();
  const beside = (async () => {
    const all = [];
    while (!done.signal.aborted) all.push(...(await times(1, 1, ask)));
    return all;
  })();
  await times(bytesTotal, 4, (n) => peer.request(self, fetch, { n, pad }, options));
  done.abort();
  const seconds = (performance.now() - bulkStart) / 1_000;
  const cpu = process.cpuUsage(before);
  line("answers of 1 MiB, 4 in flight", `${(bytesTotal / seconds).toFixed(0)} MiB/s`);
  line(
    "... receiver",
    `${((cpu.user + cpu.system) / 1e6 / (bytesTotal / 1024)).toFixed(1)} CPU-s/GiB`,
  );
  line("... loop delay p99", `${(loop.percentile(99) / 1e6).toFixed(1)} ms`);
  const besides = await beside;
  line("... 1 KB request beside them", `p50 ${at(besides, 0.5)} ms  p99 ${at(besides, 0.99)} ms`);

  const ask2 = () => peer.request(self, usage, { n: 0, pad }, options);
  const idleStart = await ask2();
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const idleEnd = await ask2();
  const idle = idleEnd.cpu.user + idleEnd.cpu.system - idleStart.cpu.user - idleStart.cpu.system;
  line(
    "idle link, 5 s",
    `${(idle / 1_000 / 50).toFixed(2)} % of a core, RSS ${idleEnd.rssMb.toFixed(0)} MB`,
  );
  await peer.stop();
  child.disconnect();
}

async function times(count, inFlight, body) {
  const all = [];
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const n = next++;
      const from = performance.now();
      await body(n);
      all.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return all;
}

function at(all, share) {
  const sorted = all.toSorted((a, b) => a - b);
  return (sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2);
}

function line(what, value) {
  process.stdout.write(`${what.padEnd(36)}${value}\n`);
}
