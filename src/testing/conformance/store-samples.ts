/** Bytes, facts and runs to store, for tests. */
import type { Fact } from "../../model/fact.ts";
import type { Cid, CodeId, MemoKey, RunRef } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";

/** Bytes that repeat only after long. */
export function sampleBytes(bytes: number, seed = 1): Uint8Array {
  let state = seed;
  const data = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    data[i] = state >>> 16;
  }
  return data;
}

export function sampleFact(key: string, output: Cid): Fact {
  return {
    v: 1,
    memoKey: key as MemoKey,
    flow: "sweep",
    step: "fit",
    code: "c0de" as CodeId,
    env: "",
    seed: "0",
    inputs: { X: "x-id", __proto__x: "y" },
    outputs: { loss: { id: output, bytes: 9, kind: "number" } },
    by: "local",
    at: 1_700_000_000_000.5,
    wallMs: 1.25,
    cpuMs: 1,
    rssBytesMax: 1_000_000,
  };
}

export function sampleSummary(run: RunRef, createdAt: number): RunSummary {
  const counts = { total: 1, succeeded: 0, failed: 0, reused: 0, executed: 0 };
  return {
    run,
    state: "running",
    createdAt,
    user: "u",
    file: "f.ts",
    bundleId: "b",
    counts,
    pid: 1,
  };
}
