/** What the catalog asks of whoever owns and schedules runs on this peer. */
import { hasEnded } from "../../src/client/run-result.ts";
import type { RunEvent, RunHandle, RunProgress } from "../../src/engine/run-api.ts";
import type { RunRef } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";

/** Runs that go on here; everything is undefined or false for any other. */
export interface LiveRuns {
  progress(run: RunRef): RunProgress | undefined;
  cancel(run: RunRef): boolean;
  subscribe(run: RunRef, listener: (event: RunEvent) => void): (() => void) | undefined;
}

export interface OwnerRef {
  readonly peer: PeerId;
  readonly name: string;
}

/** `handleOf` may still know handles of runs that have ended: those are not live. */
export function liveRunsOf(handleOf: (run: RunRef) => RunHandle | undefined): LiveRuns {
  const progressOf = (handle: RunHandle | undefined): RunProgress | undefined => {
    const progress = handle?.progress();
    return progress === undefined || hasEnded(progress) ? undefined : progress;
  };
  return {
    progress: (run) => progressOf(handleOf(run)),
    cancel(run) {
      const handle = handleOf(run);
      if (progressOf(handle) === undefined) return false;
      handle?.cancel();
      return true;
    },
    subscribe(run, listener) {
      const handle = handleOf(run);
      return progressOf(handle) === undefined ? undefined : handle?.subscribe(listener);
    },
  };
}
