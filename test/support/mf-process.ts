/** The built `mf` as users meet it: a process, a temporary home, flow files in a temporary directory. Nothing of ours is imported. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../cli/main.js", import.meta.url));
/** A hung command fails its test and not the suite. */
const COMMAND_MS_MAX = 60_000;

export interface MfOutcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** Runs of one test share a home; `dispose` ends what is left of its processes and removes both directories. */
export class MfPlace {
  readonly root = mkdtempSync(join(tmpdir(), "mf-e2e-"));
  readonly home = join(this.root, "home");
  readonly flows = join(this.root, "flows");
  readonly #started: ChildProcess[] = [];

  write(name: string, text: string): string {
    const file = join(this.flows, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  /** A flow file that begins with the import of what flows need. */
  flow(name: string, body: string): string {
    return this.write(name, `import { collect, each, flow, p } from "meshflow";\n${body}\n`);
  }

  start(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    mkdirSync(this.flows, { recursive: true });
    const child = spawn(process.execPath, [MAIN, ...argv], {
      cwd: this.flows,
      env: { ...process.env, MF_HOME: this.home, NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#started.push(child);
    return child;
  }

  async mf(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<MfOutcome> {
    return outcomeOf(this.start(argv, env));
  }

  /** The command must succeed; its standard output as JSON. */
  async json(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<unknown> {
    const { code, out, err } = await this.mf(argv, env);
    assert.equal(code, 0, `mf ${argv.join(" ")} ended with ${String(code)}: ${err}`);
    return JSON.parse(out);
  }

  /** Processes that carry this place's home in their environment; empty where the system does not tell. */
  processesLeft(): number[] {
    const mark = `MF_HOME=${this.home}\0`;
    return processIds().filter((pid) => environmentOf(pid).includes(mark));
  }

  dispose(): void {
    for (const child of this.#started) if (child.exitCode === null) child.kill("SIGKILL");
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

export async function outcomeOf(child: ChildProcess): Promise<MfOutcome> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => err.push(chunk));
  const timer = setTimeout(() => child.kill("SIGKILL"), COMMAND_MS_MAX);
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  return { code, signal, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}

/** Asks again and again until `probe` gives something; fails after `msMax`. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined,
  msMax = 20_000,
): Promise<T> {
  const until = performance.now() + msMax;
  for (;;) {
    const found = probe();
    if (found !== undefined) return found;
    assert.ok(performance.now() < until, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The object of an `--json` error. */
export function errorOf(outcome: MfOutcome): { code: string; message: string; remedy: string } {
  const line = outcome.err.trim().split("\n").at(-1) ?? "";
  const { error } = JSON.parse(line) as {
    error: { code: string; message: string; remedy: string };
  };
  return error;
}

function processIds(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}
