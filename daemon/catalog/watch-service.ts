/** Performs what the watch machine orders: one run, one watcher. */
import type { Emit } from "../../src/client/control/control-protocol.ts";
import type { WatchEvent } from "../../src/client/control/daemon-side.ts";
import type { RunResult } from "../../src/engine/run-api.ts";
import { delay, type Clock } from "../../src/env/clock.ts";
import { MfError } from "../../src/model/errors.ts";
import type { RunRef } from "../../src/model/ids.ts";
import { askProgress } from "../../src/wire/catalog-protocol.ts";
import { ASK_MS_MAX, POLL_MS } from "./catalog-limits.ts";
import type { OwnerRef } from "./live-runs.ts";
import type { PeerAsker } from "./peer-asker.ts";
import type { RunFinder } from "./run-finder.ts";
import {
  stepWatch,
  WATCH_BEGIN,
  type OwnerAnswer,
  type WatchEffect,
  type WatchMachineEvent,
} from "./watch-machine.ts";

export interface WatchDeps {
  readonly asker: PeerAsker;
  readonly finder: RunFinder;
  readonly clock: Clock;
  readonly ownerOf: (run: RunRef) => OwnerRef | undefined;
}

export interface WatchRequest {
  readonly run: RunRef;
  readonly onEvent: Emit<WatchEvent>;
  readonly signal: AbortSignal;
}

/** @throws MfError INTERRUPTED where the signal aborts */
export async function watchRun(deps: WatchDeps, request: WatchRequest): Promise<RunResult> {
  let state = WATCH_BEGIN;
  let event: WatchMachineEvent | undefined = { t: "begin", owner: deps.ownerOf(request.run) };
  while (event !== undefined) {
    if (request.signal.aborted) throw new MfError("INTERRUPTED");
    const step = stepWatch(state, event);
    state = step.state;
    event = undefined;
    for (const effect of step.effects) {
      if (effect.t === "finish") return effect.result;
      event = (await perform(deps, request, effect)) ?? event;
    }
  }
  throw new Error("the watch machine ordered nothing");
}

async function perform(
  deps: WatchDeps,
  { run, onEvent, signal }: WatchRequest,
  effect: Exclude<WatchEffect, { t: "finish" }>,
): Promise<WatchMachineEvent | undefined> {
  switch (effect.t) {
    case "locate":
      return { t: "located", owner: await deps.finder.locate(run) };
    case "ask": {
      const { owner, feed, after } = effect;
      const query = { run, after, waitMs: POLL_MS, ...(feed === undefined ? {} : { feed }) };
      const answer: OwnerAnswer | undefined = await deps.asker.one(
        owner.peer,
        askProgress,
        query,
        ASK_MS_MAX + POLL_MS,
      );
      return { t: "answered", answer };
    }
    case "wait":
      await delay(deps.clock, effect.ms, signal);
      return { t: "waited" };
    case "tell-event":
      await onEvent({ t: "event", event: effect.event });
      return undefined;
    case "tell-progress": {
      const { progress, owner, peers } = effect;
      await onEvent({
        t: "progress",
        progress,
        owner,
        ...(peers === undefined ? {} : { peers }),
      });
      return undefined;
    }
  }
}
