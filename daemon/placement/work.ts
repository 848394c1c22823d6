/** One lease as the worker performs it: what was granted, whose it is, how far it is. */
import type { StepCode } from "../../src/code/flow-package.ts";
import type { BatchOrigin } from "../../src/engine/ports.ts";
import type { RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type {
  AttemptBatch,
  AttemptOutcome,
  AttemptProgress,
  BatchResult,
} from "../../src/task/host-messages.ts";

export interface Work {
  readonly lease: string;
  readonly run: RunRef;
  /** Changes where a new owner adopts it. */
  owner: PeerId;
  readonly ballot: number;
  /** Without its code until that is here. */
  readonly batch: Omit<AttemptBatch, "code"> & { readonly codeId: StepCode["codeId"] };
  code: StepCode | undefined;
  readonly origin: BatchOrigin;
  readonly isExclusive: boolean;
  readonly hints: readonly PeerId[];
  readonly abort: AbortController;
  /** Latest report of each attempt that reported since the last renewal. */
  readonly progress: Map<string, AttemptProgress>;
  /** Nothing more is to happen to it but its hand-in. */
  isEnding: boolean;
  /** Of this peer's own run: the engine commits what comes of it. */
  readonly own: OwnWork | undefined;
}

export interface OwnWork {
  readonly onProgress: ((progress: AttemptProgress) => void) | undefined;
  ended(result: BatchResult): void;
  broken(error: unknown): void;
}

/** Why nothing of it was run. */
export class NotRun extends Error {
  readonly isUnfit: boolean;

  constructor(reason: string, isUnfit: boolean) {
    super(reason);
    this.isUnfit = isUnfit;
  }
}

export function cancelledOutcomes({ batch }: Work): AttemptOutcome[] {
  return batch.attempts.map((_spec, position) => ({
    position,
    result: "cancelled",
    wallMs: 0,
    cpuMs: 0,
    rssBytesMax: 0,
  }));
}
