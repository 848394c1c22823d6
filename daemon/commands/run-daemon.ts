/**
 * The daemon's own process, from its log to its end. A first SIGTERM, SIGINT or SIGHUP stops it in order, a second at once. Whatever
 * nobody caught ends it with exit code 70: everything acknowledged is on disk, and a start is a recovery.
 */
import process from "node:process";
import type { Clock } from "../../src/env/clock.ts";
import { toErrorRecord } from "../../src/model/errors.ts";
import type { DaemonOptions } from "../config/daemon-options.ts";
import type { Daemon } from "../daemon.ts";
import type { DaemonContext } from "../daemon-context.ts";
import { createDaemonLogger, type DaemonLogger } from "../observe/daemon-logger.ts";
import type { StartReport } from "./parent-link.ts";

/** EX_SOFTWARE. */
const EXIT_CRASHED = 70;
const EXIT_INTERRUPTED = 130;
const HOLD_MS = 3_600_000;
const SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

export interface RunDaemonHooks {
  /** A person watches. */
  readonly isEchoed?: boolean;
  report(report: StartReport): void;
}

/** Resolves when the daemon has stopped. @throws MfError where it cannot start */
export async function runDaemon(
  context: DaemonContext,
  options: DaemonOptions,
  hooks: RunDaemonHooks,
): Promise<number> {
  const { clock, random, version, terminal, home } = context;
  const logger = createDaemonLogger({
    home,
    clock,
    level: process.env["MF_DEBUG"] === "1" ? "debug" : "info",
    ...(hooks.isEchoed === true ? { echo: (line) => terminal.err(`${line}\n`) } : {}),
  });
  const life = new DaemonLife(context, logger);
  life.watch();
  const letGo = holdProcess(clock);
  try {
    logger.info("starting", { version, pid: process.pid, name: options.name });
    const { createDaemon } = await import("../daemon.ts");
    const daemon = await createDaemon(options, { clock, random, logger, version });
    life.hold(daemon);
    const status = await daemon.status();
    logger.info("started", { id: status.id, mesh: status.mesh, listen: status.listen });
    hooks.report({ t: "ready", status });
    await daemon.stopped;
    logger.info("stopped", {});
    return 0;
  } catch (error) {
    logger.error("start-failed", { error });
    hooks.report({ t: "failed", error: toErrorRecord(error) });
    throw error;
  } finally {
    letGo();
    life.unwatch();
    logger.close();
  }
}

/** A daemon whose sockets and timers all let the process end would end with them. */
function holdProcess(clock: Clock): () => void {
  let cancel = (): void => undefined;
  const hold = (): void => {
    cancel = clock.after(HOLD_MS, hold);
  };
  hold();
  return () => cancel();
}

class DaemonLife {
  readonly #context: DaemonContext;
  readonly #logger: DaemonLogger;
  #daemon: Daemon | undefined;
  #isStopping = false;

  constructor(context: DaemonContext, logger: DaemonLogger) {
    this.#context = context;
    this.#logger = logger;
  }

  hold(daemon: Daemon): void {
    this.#daemon = daemon;
  }

  watch(): void {
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    process.on("uncaughtException", this.#onCrash);
    process.on("unhandledRejection", this.#onCrash);
  }

  unwatch(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    process.off("uncaughtException", this.#onCrash);
    process.off("unhandledRejection", this.#onCrash);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#logger.info("signalled", { signal, isSecond: this.#isStopping });
    // Before it has started there is nothing to say goodbye for, and a second signal means at once.
    if (this.#daemon === undefined || this.#isStopping) return this.#end(EXIT_INTERRUPTED);
    this.#isStopping = true;
    this.#daemon.stop().catch(this.#onCrash);
  };

  readonly #onCrash = (error: unknown): void => {
    this.#logger.error("crashed", { error });
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#context.terminal.err(`mfd: crashed: ${text}\n`);
    this.#end(EXIT_CRASHED);
  };

  #end(code: number): void {
    this.#logger.close();
    this.#context.exit(code);
  }
}
