/** Closes what was opened, the last first; one that fails to close does not keep the others open. */
import type { Logger } from "../../src/env/logger.ts";

export class ClosingOrder {
  readonly #logger: Logger;
  readonly #closers: { readonly name: string; readonly close: () => unknown }[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(name: string, close: () => unknown): void {
    this.#closers.push({ name, close });
  }

  async closeAll(): Promise<void> {
    for (let next = this.#closers.pop(); next !== undefined; next = this.#closers.pop()) {
      try {
        await next.close();
      } catch (error) {
        this.#logger.warn("close-failed", { part: next.name, reason: String(error) });
      }
    }
  }
}
