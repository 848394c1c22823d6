/** Every workload on bare Piscina in this process: no identity, no store, no log, no durability. What is left is the floor. */
import { Piscina } from "piscina";

const filename = new URL("piscina-worker.mjs", import.meta.url).href;

/** @returns ms of `work(pool)`, on warm threads. */
export async function onPiscina(threads, work) {
  const pool = new Piscina({ filename, minThreads: threads, maxThreads: threads });
  try {
    await Promise.all(Array.from({ length: threads * 4 }, () => pool.run(1, { name: "noop" })));
    const started = performance.now();
    await work(pool);
    return performance.now() - started;
  } finally {
    await pool.destroy();
  }
}

export const fanOutFloor = (count) => async (pool) => {
  const items = Array.from({ length: count }, (_, i) => i);
  await Promise.all(items.map((item) => pool.run(item, { name: "noop" })));
};

export const chainFloor = (count) => async (pool) => {
  let v = 0;
  for (let i = 0; i < count; i++) v = await pool.run(v, { name: "noop" });
};

export const cpuFloor = (count, rounds) => async (pool) => {
  await Promise.all(Array.from({ length: count }, () => pool.run(rounds, { name: "burn" })));
};

export const readersFloor = (bytes, readers) => async (pool) => {
  const data = new Float64Array(bytes / 8);
  const items = Array.from({ length: readers }, (_, i) => i);
  await Promise.all(items.map((item) => pool.run({ item, data }, { name: "read" })));
};
