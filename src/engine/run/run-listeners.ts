/** Who is told of a run's events. A listener's mistake is its own. */
import type { Logger } from "../../env/logger.ts";
import type { RunEvent, StepProgress } from "../run-api.ts";

export type RunListener = (event: RunEvent) => void;

export class RunListeners {
  readonly #logger: Logger;
  readonly #listeners = new Set<RunListener>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Returns the unsubscribe function. */
  add(listener: RunListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: RunEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#logger.error("listener-threw", { event: event.t, message: String(error) });
      }
    }
  }

  emitStep(progress: StepProgress, what: "started" | "finished"): void {
    const { name: step, total } = progress;
    if (what === "finished") this.emit({ t: "step-finished", step, progress });
    else this.emit({ t: "step-started", step, ...(total === undefined ? {} : { total }) });
  }
}
