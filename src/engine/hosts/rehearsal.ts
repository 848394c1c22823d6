/**
 * A batch that only makes the way of a batch known: codec, socket, thread and slice evaluation are compiled when they are first used,
 * which took 20 ms from the first hop of every run. It is played while the flow is still being loaded.
 */
import { cidOf } from "../../artifact/cid.ts";
import { encodeValue } from "../../artifact/codec.ts";
import type { CodeId } from "../../model/ids.ts";
import type { AttemptBatch } from "../../task/host-messages.ts";

/** Nothing is printed and no output is large, so neither file is made. */
const NO_FILE = "/dev/null";
const ATTEMPTS = 3;
const YIELD_MS = 10_000;

export function rehearsal(memBytesMax: number): AttemptBatch {
  const { data } = encodeValue(1);
  const id = cidOf("messagepack", data);
  const slice = "() => ({ fn: ({ v }) => ({ v: v + 1 }) })";
  return {
    id: -1,
    run: "rehearsal",
    step: "rehearsal",
    code: {
      kind: "script",
      codeId: "rehearsal" as CodeId,
      slice,
      isStateless: true,
      externals: [],
      resolveFrom: "/",
      at: "rehearsal:1",
    },
    attempts: Array.from({ length: ATTEMPTS }, (_, at) => ({
      index: [at],
      attempt: 0,
      inputs: { fields: { v: { k: "artifact", id } } },
      seed: "rehearsal",
    })),
    contents: { [id]: { inline: data } },
    eachOutputs: [],
    scratchFile: NO_FILE,
    logFile: NO_FILE,
    env: {},
    memBytesMax,
    yieldAfterMs: YIELD_MS,
  };
}
