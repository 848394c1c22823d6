/** The engine's side of a run that is owned here: goes on with it, watches that it does, lets it go. */
import type { Engine, RunHandle } from "../../src/engine/run-api.ts";
import type { Logger } from "../../src/env/logger.ts";
import { isMfError, toErrorRecord } from "../../src/model/errors.ts";
import { runText, type RunRef } from "../../src/model/ids.ts";
import type { RunOwner } from "../../src/model/journal.ts";

export interface RunGoingOnDeps {
  readonly engine: () => Engine;
  readonly logger: Logger;
  readonly beforeResume: (run: RunRef, ballot: number) => Promise<void>;
}

export interface RunGoingOnHooks {
  /** Still owned under this ballot, by a daemon that is not stopping. */
  readonly isOurs: (by: RunOwner) => boolean;
  readonly owner: () => RunOwner;
  /** It broke off without an end, or could not be gone on with. */
  readonly broken: (fencedBy: number | undefined) => void;
}

export class RunGoingOn {
  readonly #run: RunRef;
  readonly #deps: RunGoingOnDeps;
  readonly #hooks: RunGoingOnHooks;

  constructor(run: RunRef, deps: RunGoingOnDeps, hooks: RunGoingOnHooks) {
    this.#run = run;
    this.#deps = deps;
    this.#hooks = hooks;
  }

  async resume(by: RunOwner): Promise<void> {
    const { beforeResume, engine, logger } = this.#deps;
    const { isOurs, owner } = this.#hooks;
    try {
      await beforeResume(this.#run, by.ballot);
      if (!isOurs(by) || this.#handle() !== undefined) return;
      const handle = await engine().resume(this.#run);
      logger.info("ownership-resumed", { run: runText(this.#run), ballot: by.ballot });
      this.watch(handle);
      if (!isOurs(by)) handle.abandon(owner().name);
    } catch (error) {
      if (!isMfError(error, "RUN_ENDED")) this.#broke(error);
    }
  }

  watch({ finished }: RunHandle): void {
    finished.catch((error: unknown) => {
      if (!isMfError(error, "RUN_MOVED")) this.#broke(error);
    });
  }

  abandon(to: RunOwner): void {
    this.#handle()?.abandon(to.name);
  }

  #handle(): RunHandle | undefined {
    const text = runText(this.#run);
    const running = this.#deps.engine().running();
    return running.find((handle) => runText(handle.run) === text);
  }

  #broke(error: unknown): void {
    const { code } = toErrorRecord(error);
    this.#deps.logger.warn("ownership-run-broke", { run: runText(this.#run), code });
    const ballot = isMfError(error, "PEER_FENCED") ? error.details["ballot"] : undefined;
    this.#hooks.broken(Number.isSafeInteger(ballot) ? Number(ballot) : undefined);
  }
}
