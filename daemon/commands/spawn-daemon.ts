/** Starts the daemon as a process of its own and waits for its word: ready, failed, or gone without one. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import type { DaemonStatus } from "../../src/client/control/daemon-side.ts";
import { fromErrorRecord, MfError } from "../../src/model/errors.ts";
import type { DaemonInput } from "../config/daemon-options.ts";
import type { DaemonContext } from "../daemon-context.ts";
import type { StartReport } from "./parent-link.ts";
import { makeFolder } from "../../src/std/make-folder.ts";

/** A daemon that has not answered by then is stuck: joining takes a few seconds, a store's recovery may take a minute. */
const START_MS_MAX = 180_000;
/** A daemon that is told to stop while it starts gets this long. */
const STOP_MS_MAX = 5000;
const PROGRESS_MS = 500;
/** Lines of a crash that are shown. */
const LINES_SHOWN_MAX = 10;
const INPUT_NAMES = [
  "name",
  "listen",
  "cpus",
  "mem",
  "label",
  "storeMax",
  "roles",
  "join",
] as const satisfies readonly (keyof DaemonInput)[];

/** @throws MfError what the daemon failed with, DAEMON_FAILED, INTERRUPTED */
export async function spawnDaemon(
  context: DaemonContext,
  input: DaemonInput,
): Promise<DaemonStatus> {
  const outFile = join(context.home, "logs", "mfd.out");
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  // Before there is a child, so that no moment is left in which Ctrl-C ends this process alone.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  const child = spawnDetached(context, outFile);
  const stopProgress = showProgress(context, input.join !== undefined);
  try {
    const report = await firstWord(context, { child, input, signal: interrupt.signal });
    if (report.t === "ready") return report.status;
    if (report.t === "failed") throw fromErrorRecord(report.error);
    throw failed(report.how, outFile);
  } finally {
    stopProgress();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** `outFile` takes what is said past the log: a crash of the runtime itself. */
function spawnDetached(context: DaemonContext, outFile: string): ChildProcess {
  const { home, mainFile } = context;
  makeFolder(dirname(outFile), 0o700);
  const out = openSync(outFile, "w", 0o600);
  try {
    return spawn(
      process.execPath,
      [...process.execArgv, mainFile, "start", "--foreground", "--from-parent"],
      {
        detached: true,
        // Not where the user stands: a daemon must not keep a disk from being unmounted.
        cwd: home,
        env: { ...process.env, MF_HOME: home },
        stdio: ["ignore", out, out, "ipc"],
      },
    );
  } finally {
    closeSync(out);
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly input: DaemonInput;
  readonly signal: AbortSignal;
}

type FirstWord = StartReport | { readonly t: "gone"; readonly how: string };

/** @throws MfError INTERRUPTED, after the child has gone */
async function firstWord(context: DaemonContext, started: Started): Promise<FirstWord> {
  const { child, input, signal } = started;
  const { clock } = context;
  const named = INPUT_NAMES.flatMap((name) =>
    input[name] === undefined ? [] : [[name, input[name]]],
  );
  const word = await new Promise<FirstWord | "interrupted" | "stuck">((resolve) => {
    const cancel = clock.after(START_MS_MAX, () => settle("stuck"));
    const settle = (value: FirstWord | "interrupted" | "stuck"): void => {
      cancel();
      resolve(value);
    };
    child.once("error", (error) => settle({ t: "gone", how: error.message }));
    child.once("exit", (code, by) => settle({ t: "gone", how: by ?? `exit ${String(code)}` }));
    child.once("message", (report) => settle(report as StartReport));
    signal.addEventListener("abort", () => settle("interrupted"), { once: true });
    if (signal.aborted) settle("interrupted");
    child.send(Object.fromEntries(named), () => undefined);
  });
  if (word !== "interrupted" && word !== "stuck") return word;
  await end(context, child);
  if (word === "interrupted") throw new MfError("INTERRUPTED");
  return { t: "gone", how: `it did not answer within ${START_MS_MAX / 1000} s` };
}

/** In order if it can, by force if it must. */
async function end(context: DaemonContext, child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const cancel = context.clock.after(STOP_MS_MAX, () => child.kill("SIGKILL"));
  await gone;
  cancel();
}

function failed(how: string, outFile: string): MfError {
  const problems = readFileSync(outFile, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-LINES_SHOWN_MAX)
    .map((line) => ({ message: line }));
  return new MfError("DAEMON_FAILED", { how, problems });
}

function showProgress(context: DaemonContext, isJoining: boolean): () => void {
  const { terminal, clock } = context;
  if (!terminal.isLive) return () => undefined;
  const started = clock.monotonic();
  let cancel = (): void => undefined;
  const paint = (): void => {
    const seconds = Math.round((clock.monotonic() - started) / 1000);
    terminal.err(`\r\u001B[K${isJoining ? "joining" : "starting"} … ${seconds} s`);
    cancel = clock.after(PROGRESS_MS, paint);
  };
  cancel = clock.after(PROGRESS_MS, paint);
  return () => {
    cancel();
    terminal.err("\r\u001B[K");
  };
}
