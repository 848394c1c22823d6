/** A Ctx for unit tests: remembers what a step logged and reported, draws the same numbers each time, reads files where they lie. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { Ctx } from "../flow/context.ts";
import type { FileRef } from "../flow/file-ref.ts";

export interface TestContextSettings {
  /** @default 0 */
  readonly seed?: number;
  /** @default 0 */
  readonly attempt?: number;
  /** @default 'test/run' */
  readonly run?: string;
  /** @default 'step' */
  readonly task?: string;
  /** @default a signal that abort() aborts */
  readonly signal?: AbortSignal;
}

export interface TestContext extends Ctx {
  /** The arguments of each ctx.log(). */
  readonly logged: readonly (readonly unknown[])[];
  /** Each ctx.progress(). */
  readonly reported: readonly { readonly fraction: number; readonly note?: string }[];
  /** Aborts ctx.signal, as a cancelled run would. */
  abort(): void;
}

export function testContext(settings: TestContextSettings = {}): TestContext {
  const logged: unknown[][] = [];
  const reported: { fraction: number; note?: string }[] = [];
  const controller = new AbortController();
  const seed = settings.seed ?? 0;
  return {
    signal:
      settings.signal === undefined
        ? controller.signal
        : AbortSignal.any([settings.signal, controller.signal]),
    attempt: settings.attempt ?? 0,
    run: settings.run ?? "test/run",
    task: settings.task ?? "step",
    seed,
    random: mulberry(seed),
    log: (...values) => void logged.push(values),
    progress: (fraction, note) =>
      void reported.push({ fraction, ...(note === undefined ? {} : { note }) }),
    file: localFile,
    logged,
    reported,
    abort: () => controller.abort(),
  };
}

/** Mulberry32: small, well distributed, and enough for a test. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function localFile(path: string, name = basename(path)): Promise<FileRef> {
  const absolute = resolve(path);
  const content = await readFile(absolute);
  return {
    id: createHash("sha256").update(content).digest("hex"),
    name,
    size: content.length,
    text: () => readFile(absolute, "utf8"),
    bytes: () => readFile(absolute),
    stream: () => createReadStream(absolute) as AsyncIterable<Uint8Array>,
    path: () => Promise.resolve(absolute),
  };
}
