/** What the catalog asks of whoever owns and schedules runs on this peer. */
import type { RunEvent, RunProgress } from "../../src/engine/run-api.ts";
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
