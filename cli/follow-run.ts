/** Follows a run of the mesh as `mf run` shows its own: until it ends, or until Ctrl-C, which detaches from it or cancels it. */
import type { DaemonSide } from "../src/client/control/daemon-side.ts";
import type { RunStatus } from "../src/client/runs.ts";
import type { RunEvent, RunProgress, RunResult, StepProgress } from "../src/engine/run-api.ts";
import { isMfError, MfError } from "../src/model/errors.ts";
import type { CommandContext } from "./command-context.ts";
import { EXIT_INTERRUPTED, type Interrupt } from "./interrupt.ts";
import { peersText, showRun, type RunDisplay, type ShownRun } from "./output/run-display.ts";
import { daemonAgain } from "./reconnect.ts";
import { reportRun, type ReportOptions } from "./run-report.ts";

export interface FollowRequest extends ReportOptions {
  readonly side: DaemonSide;
  /** `flow/id`. */
  readonly run: string;
  readonly interrupt: Interrupt;
  /** What Ctrl-C does to the run. */
  readonly onInterrupt: "detach" | "cancel";
}

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
    const status = isQuiet ? undefined : await follower.statusAtEnd();
    if (status !== undefined) watched.end(status);
    display.stop();
    const code = await (request.report ?? reportRun)(context, result, request);
    if (status !== undefined) tellPeers(context, status);
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
        if (!isMfError(error, "CONTROL_LOST")) throw error;
        const isBack = await this.#reconnect(signal);
        if (signal.aborted) throw new MfError("INTERRUPTED");
        if (!isBack) throw error;
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

  /** A daemon that ended meanwhile is no matter any more. */
  async statusAtEnd(): Promise<RunStatus | undefined> {
    try {
      return await this.#side.status(this.#parts.request.run);
    } catch (error) {
      this.#context.logger.debug("follow.status-missing", { error });
      return undefined;
    }
  }

  close(): void {
    this.#closeOwn();
  }

  async #reconnect(signal: AbortSignal): Promise<boolean> {
    const { display, isQuiet } = this.#parts;
    if (!isQuiet)
      display.say(
        "the daemon of this home ended; the run goes on at its keepers, or here after `mfd start`",
      );
    const connection = await daemonAgain(this.#context, signal);
    if (connection === undefined) return false;
    this.#closeOwn();
    this.#side = connection.side;
    this.#closeOwn = () => connection.close();
    return true;
  }
}

/** Who did the work, if anybody had to. */
function tellPeers({ terminal }: CommandContext, { steps }: RunStatus): void {
  const work = new Map<string, number>();
  for (const { peers } of steps)
    for (const [name, tasks] of Object.entries(peers))
      work.set(name, (work.get(name) ?? 0) + tasks);
  const text = peersText(Object.fromEntries(work));
  if (text !== "") terminal.err(`tasks by peer: ${text}\n`);
}

/** What a display needs of a run that is somewhere else. */
class WatchedRun implements ShownRun {
  readonly #listeners = new Set<(event: RunEvent) => void>();
  /** Steps whose end was told. */
  readonly #ended = new Set<string>();
  #progress: RunProgress = { state: "running", steps: [], elapsedMs: 0 };
  #footer = "";

  take(event: Parameters<Parameters<DaemonSide["watch"]>[1]>[0]): void {
    if (event.t === "event") {
      this.#apply(event.event);
      this.#tell(event.event);
      return;
    }
    this.#show(event.progress);
    const work = peersText(event.peers ?? {});
    this.#footer = `owner ${event.owner}${work === "" ? "" : `; tasks by peer: ${work}`}`;
  }

  /** A short run may end before there is any picture of it; how long its steps took is not known then. */
  end({ steps }: RunStatus): void {
    const shown = new Map(this.#progress.steps.map((step) => [step.name, step]));
    const ended = steps.map(({ name, state, tasks }): StepProgress => {
      const before = shown.get(name);
      return before?.state === state ? before : { name, state, ...tasks, wallMs: 0 };
    });
    this.#show({ ...this.#progress, steps: ended });
  }

  /** A short step may have ended before anybody watched, or while nobody could. */
  #show(progress: RunProgress): void {
    this.#progress = progress;
    for (const step of progress.steps)
      if (hasWorkedToEnd(step)) this.#tell({ t: "step-finished", step: step.name, progress: step });
  }

  #tell(event: RunEvent): void {
    if (event.t === "step-finished") {
      if (this.#ended.has(event.step)) return;
      this.#ended.add(event.step);
    }
    for (const listener of this.#listeners) listener(event);
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

/** As the engine tells it: a step of which everything was reused at once is no news. */
function hasWorkedToEnd({ state, succeeded, failed, reused }: StepProgress): boolean {
  const isOver = state === "succeeded" || state === "failed";
  return isOver && succeeded + failed > reused;
}
