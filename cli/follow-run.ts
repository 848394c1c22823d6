/** Follows a run of the mesh as `mf run` shows its own: until it ends, or until Ctrl-C, which detaches from it or cancels it. */
import { connectDaemon } from "../src/client/control/control-client.ts";
import type { DaemonSide } from "../src/client/control/daemon-side.ts";
import type { RunEvent, RunProgress, RunResult } from "../src/engine/run-api.ts";
import { delay } from "../src/env/clock.ts";
import { isMfError } from "../src/model/errors.ts";
import type { CommandContext } from "./command-context.ts";
import { EXIT_INTERRUPTED, type Interrupt } from "./interrupt.ts";
import { peersText, showRun, type RunDisplay, type ShownRun } from "./output/run-display.ts";
import { reportRun, type ReportOptions } from "./run-report.ts";

export interface FollowRequest extends ReportOptions {
  readonly side: DaemonSide;
  /** `flow/id`. */
  readonly run: string;
  readonly interrupt: Interrupt;
  /** What Ctrl-C does to the run. */
  readonly onInterrupt: "detach" | "cancel";
}

/** A daemon that is restarted is back within this; the run goes on meanwhile. */
const RECONNECT_MS_MAX = 30_000;
const RECONNECT_MS = 500;

/** Gives the exit code of the run, or of an interruption. */
export async function followRun(context: CommandContext, request: FollowRequest): Promise<number> {
  const isQuiet = request.quiet === true || request.json === true;
  const watched = new WatchedRun();
  const display = showRun(watched, context.terminal, { clock: context.clock, isQuiet });
  const detach = new AbortController();
  const follower = new Follower(context, { request, watched, display, isQuiet });
  request.interrupt.onAsked(() => {
    if (request.onInterrupt === "detach") return detach.abort();
    follower.cancel();
  });
  try {
    const result = await follower.toEnd(detach.signal);
    display.stop();
    const code = reportRun(context, result, request);
    if (!isQuiet) await follower.tellPeers();
    return code;
  } catch (error) {
    display.stop();
    if (!detach.signal.aborted || !isMfError(error, "INTERRUPTED")) throw error;
    context.terminal.err(
      `detached: ${request.run} goes on. \`mf watch ${request.run}\` follows it, \`mf cancel ${request.run}\` ends it.\n`,
    );
    return EXIT_INTERRUPTED;
  } finally {
    display.stop();
    follower.close();
  }
}

interface FollowerParts {
  readonly request: FollowRequest;
  readonly watched: WatchedRun;
  readonly display: RunDisplay;
  readonly isQuiet: boolean;
}

/** Watches by one connection after another. */
class Follower {
  readonly #context: CommandContext;
  readonly #parts: FollowerParts;
  #side: DaemonSide;
  #closeOwn: () => void = () => undefined;

  constructor(context: CommandContext, parts: FollowerParts) {
    this.#context = context;
    this.#parts = parts;
    this.#side = parts.request.side;
  }

  async toEnd(signal: AbortSignal): Promise<RunResult> {
    const { request, watched } = this.#parts;
    for (;;) {
      try {
        return await this.#side.watch(request.run, (event) => watched.take(event), signal);
      } catch (error) {
        if (!isMfError(error, "CONTROL_LOST") || !(await this.#reconnect(signal))) throw error;
      }
    }
  }

  cancel(): void {
    const { request, display, isQuiet } = this.#parts;
    const failed = (error: unknown): void =>
      display.say(`not cancelled: ${error instanceof Error ? error.message : String(error)}`);
    this.#side.cancel(request.run).catch(failed);
    if (!isQuiet)
      display.say("cancelling: nothing new starts, what is done is kept (Ctrl-C again forces)");
  }

  /** Who did the work, if anybody had to. A daemon that ended meanwhile is no matter any more. */
  async tellPeers(): Promise<void> {
    try {
      const { steps } = await this.#side.status(this.#parts.request.run);
      const work = new Map<string, number>();
      for (const { peers } of steps)
        for (const [name, tasks] of Object.entries(peers))
          work.set(name, (work.get(name) ?? 0) + tasks);
      const text = peersText(Object.fromEntries(work));
      if (text !== "") this.#context.terminal.err(`tasks by peer: ${text}\n`);
    } catch (error) {
      this.#context.logger.debug("follow.status-missing", { error });
    }
  }

  close(): void {
    this.#closeOwn();
  }

  async #reconnect(signal: AbortSignal): Promise<boolean> {
    const { clock, home } = this.#context;
    const { display, isQuiet } = this.#parts;
    if (!isQuiet)
      display.say(
        "the daemon of this home ended; the run goes on at its keepers, or here after `mfd start`",
      );
    const deadline = clock.monotonic() + RECONNECT_MS_MAX;
    while (clock.monotonic() < deadline && !signal.aborted) {
      const connection = await connectDaemon(home, clock);
      if (connection !== undefined) {
        this.#closeOwn();
        this.#side = connection.side;
        this.#closeOwn = () => connection.close();
        return true;
      }
      await delay(clock, RECONNECT_MS, signal);
    }
    return false;
  }
}

/** What a display needs of a run that is somewhere else. */
class WatchedRun implements ShownRun {
  readonly #listeners = new Set<(event: RunEvent) => void>();
  #progress: RunProgress = { state: "running", steps: [], elapsedMs: 0 };
  #footer = "";

  take(event: Parameters<Parameters<DaemonSide["watch"]>[1]>[0]): void {
    if (event.t === "event") {
      this.#apply(event.event);
      for (const listener of this.#listeners) listener(event.event);
      return;
    }
    this.#progress = event.progress;
    const work = peersText(event.peers ?? {});
    this.#footer = `owner ${event.owner}${work === "" ? "" : `; tasks by peer: ${work}`}`;
  }

  /** The end of a step may come after the last picture of the run. */
  #apply(event: RunEvent): void {
    if (event.t !== "step-finished") return;
    const steps = this.#progress.steps.map((step) =>
      step.name === event.step ? event.progress : step,
    );
    this.#progress = { ...this.#progress, steps };
  }

  progress(): RunProgress {
    return this.#progress;
  }

  footer(): string {
    return this.#footer;
  }

  subscribe(listener: (event: RunEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
