/** Batches for a pool of step hosts, made by hand, and what they gave back. One pool a test file, closed at its end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { cidOf } from "../../../../src/artifact/cid.ts";
import { decodeValue, encodeValue } from "../../../../src/artifact/codec.ts";
import type { PythonCode, StepCode } from "../../../../src/code/flow-package.ts";
import { createHostPool } from "../../../../src/engine/hosts/host-pool.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import type { InputSource } from "../../../../src/model/fact.ts";
import type { Cid, CodeId } from "../../../../src/model/ids.ts";
import type { ContentLocation } from "../../../../src/store/ports.ts";
import type { AttemptBatch, BatchResult } from "../../../../src/task/host-messages.ts";

/** Content that hosts find when they ask for it. */
export const contents = new Map<Cid, ContentLocation>();

export const home = mkdtempSync(join(tmpdir(), "mf-hosts-"));
export const pool = createHostPool({
  clock: systemClock,
  logger: silentLogger,
  slots: 1,
  home,
  locate: async (ids) => ids.map((id) => contents.get(id)),
});
after(async () => {
  await pool.close();
  rmSync(home, { recursive: true, force: true });
});

let batches = 0;

export function source(value: unknown): InputSource {
  const { data } = encodeValue(value);
  return { k: "bytes", id: cidOf("messagepack", data), data };
}

export function script(slice: string): StepCode {
  return {
    kind: "script",
    codeId: slice as CodeId,
    slice,
    isStateless: false,
    externals: [],
    resolveFrom: home,
    at: "f.ts:1",
  };
}

export function batchOf(
  code: StepCode,
  inputs: readonly object[],
  more: Partial<AttemptBatch> = {},
): AttemptBatch {
  batches += 1;
  return {
    id: batches,
    run: "f/1",
    step: "s",
    code,
    contents: {},
    eachOutputs: [],
    env: {},
    scratchFile: join(home, `${batches}.seg`),
    logFile: join(home, `${batches}.log`),
    memBytesMax: 512 * 1024 ** 2,
    yieldAfterMs: 10_000,
    attempts: inputs.map((fields, at) => ({
      index: [at],
      attempt: 0,
      seed: `seed${at}`,
      inputs: {
        fields: Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, source(v)])),
      },
    })),
    ...more,
  };
}

export function outputs(result: BatchResult, at = 0): Record<string, unknown> {
  const all = result.outcomes[at]?.outputs ?? {};
  return Object.fromEntries(
    Object.entries(all).map(([k, v]) => [k, v.data && decodeValue(v.data)]),
  );
}

export const run = (
  body: string,
  more: Partial<AttemptBatch> = {},
  exclusive = false,
): Promise<BatchResult> =>
  pool.runBatch(batchOf(script(`(scope, require) => ({ fn: ${body} })`), [{ x: 1 }], more), {
    exclusive,
  });

export const codeOf = (result: BatchResult): string | undefined => result.outcomes[0]?.error?.code;

export function python(text: string, fn = "f"): PythonCode {
  return {
    kind: "python",
    codeId: text as CodeId,
    entry: "st.py",
    fn,
    files: { "st.py": text },
    imports: [],
    requires: [],
  };
}
