/** What the engine needs from whatever executes attempts. src/engine/hosts implements it with processes and threads. */
import type { PythonCode } from "../code/flow-package.ts";
import type { Cid, MemoKey, RunRef } from "../model/ids.ts";
import type { ContentLocation, StoredOutput } from "../store/ports.ts";
import type { AttemptBatch, AttemptProgress, BatchResult } from "../task/host-messages.ts";
import type { Demand } from "./scheduler/admission.ts";

export interface RunBatchOptions {
  /** Aborts: ctx.signal first, a kill after the grace; outcomes say `cancelled`. */
  readonly signal?: AbortSignal;
  /** In a process of its own (declared memory, GPU, isolation, Python, or after a shared host died). */
  readonly exclusive: boolean;
  readonly onProgress?: (progress: AttemptProgress) => void;
}

export interface PlacedBatchOptions extends RunBatchOptions {
  /** What a host on another machine needs beyond the batch. */
  readonly origin: BatchOrigin;
}

/** Where a batch comes from and what it needs: enough to place it anywhere and to make facts of its outcomes there. */
export interface BatchOrigin {
  readonly run: RunRef;
  /** Environment id of the step (`Fact.env`). */
  readonly env: string;
  /** In the order of the batch's attempts. */
  readonly tasks: readonly {
    readonly memoKey: MemoKey;
    /** `Fact.inputs`. */
    readonly inputIds: Readonly<Record<string, string>>;
  }[];
  /** Of one attempt. */
  readonly demand: Demand;
  /** Labels a peer must have (`--on`). */
  readonly labels: readonly string[];
  /** Learnt time of one task, ms; undefined before the first has ended. */
  readonly taskMs?: number;
}

export interface HostPool {
  /** How many batches can run at once in shared hosts. May change while peers come and go. */
  readonly slots: number;
  /** True where the pool brings missing content to wherever a batch runs: `batch.contents` may then lack some. */
  readonly bringsContent?: boolean;
  /** Makes content that other machines hold durable here, where the pool can. @throws MfError CONTENT_MISSING */
  bring?(ids: readonly Cid[]): Promise<void>;
  /** Never rejects for what a step did: that is an outcome. Rejects only when hosts cannot be started at all. */
  runBatch(batch: AttemptBatch, options: PlacedBatchOptions): Promise<BatchResult>;
  /** Cuts stored content (a list reached by `path`) into an element table, in a host. @throws MfError EACH_NOT_LIST */
  splitContent(request: SplitRequest): Promise<SplitResult>;
  /** Identity of the Python that would run `code` of this step: version and versions of the distributions it imports. @throws MfError PYTHON_MISSING, PYTHON_PACKAGE_MISSING */
  pythonEnvironment(code: PythonCode, step: string): Promise<string>;
  /** Stops every process, at once. */
  close(): Promise<void>;
}

export interface SplitRequest {
  readonly step: string;
  readonly source: string;
  readonly content: ContentLocation;
  readonly codec: "raw" | "messagepack";
  readonly path: readonly string[];
  readonly scratchFile: string;
}

export interface SplitResult {
  readonly table: StoredOutput;
  readonly scratchFile?: string;
}
