/** What a step is given besides its inputs (`Ctx` of src/flow), for one attempt. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { format } from "node:util";
import type { FileInfo } from "../artifact/file-brand.ts";
import type { ContentLocation } from "../store/ports.ts";
import { StoredFileRef, type FileAccess } from "./file-ref.ts";
import type { AttemptLog } from "./log-record.ts";
import type { AttemptProgress } from "./host-messages.ts";
import type { ScratchSegment } from "./store-outputs.ts";
import { PROGRESS_INTERVAL_MS } from "./task-limits.ts";

export interface AttemptContextDeps {
  /** Made when it is first asked for: few steps do. */
  readonly stopper: { readonly signal: AbortSignal };
  readonly log: AttemptLog;
  readonly scratch: ScratchSegment;
  locate(id: string): Promise<ContentLocation | undefined>;
  report(progress: AttemptProgress): void;
}

export interface AttemptIdentity {
  readonly run: string;
  readonly step: string;
  readonly index: readonly number[];
  readonly attempt: number;
  readonly seed: string;
}

export class AttemptContext implements FileAccess {
  readonly attempt: number;
  readonly run: string;
  readonly task: string;
  readonly #deps: AttemptContextDeps;
  readonly #identity: AttemptIdentity;
  /** Files stored by this attempt: not known to the engine yet. */
  readonly #stored = new Map<string, string>();
  #seed: number | undefined;
  #state: number | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #dir: string | undefined;

  constructor(identity: AttemptIdentity, deps: AttemptContextDeps) {
    this.#identity = identity;
    this.#deps = deps;
    this.attempt = identity.attempt;
    this.run = identity.run;
    const { index, step } = identity;
    this.task = index.length === 0 ? step : `${step}[${index.join(",")}]`;
  }

  get signal(): AbortSignal {
    return this.#deps.stopper.signal;
  }

  get seed(): number {
    this.#seed ??= createHash("sha256").update(this.#identity.seed).digest().readUInt32LE(0);
    return this.#seed;
  }

  // Steps take these out of ctx by destructuring, so they are bound.
  readonly random = (): number => {
    // mulberry32: one word of state, passes the small statistical batteries.
    const state = ((this.#state ?? this.seed) + 0x6d2b79f5) | 0;
    this.#state = state;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296;
  };

  readonly log = (...values: unknown[]): void =>
    this.#deps.log.write("out", `${format(...values)}\n`);

  readonly progress = (fraction: number, note?: string): void => {
    const now = performance.now();
    if (now - this.#reportedAt < PROGRESS_INTERVAL_MS && fraction < 1) return;
    this.#reportedAt = now;
    const known = Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
    const { index } = this.#identity;
    this.#deps.report({
      index,
      fraction: known,
      ...(note === undefined ? {} : { note }),
    });
  };

  readonly file = async (path: string, name = basename(path)): Promise<StoredFileRef> => {
    const { id, bytes } = this.#deps.scratch.write((writer) => writer.putFile(path));
    this.#stored.set(id, path);
    return this.fileRef({ id, name, size: bytes });
  };

  fileRef(info: FileInfo): StoredFileRef {
    return new StoredFileRef(info, this);
  }

  async locate(id: string): Promise<ContentLocation | undefined> {
    const path = this.#stored.get(id);
    if (path === undefined) return this.#deps.locate(id);
    const { readFile } = await import("node:fs/promises");
    return { inline: await readFile(path) };
  }

  tempDir(): string {
    this.#dir ??= mkdtempSync(join(tmpdir(), "meshflow-attempt-"));
    return this.#dir;
  }

  end(): void {
    if (this.#dir !== undefined) rmSync(this.#dir, { recursive: true, force: true });
  }
}
