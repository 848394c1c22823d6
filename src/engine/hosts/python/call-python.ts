/** Calls a Python step: one interpreter for a batch, kept by its thread, spoken to over pipes 3 and 4; prints go to the log. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { PythonCode } from "../../../code/flow-package.ts";
import { systemClock } from "../../../env/clock.ts";
import { fromErrorRecord, MfError } from "../../../model/errors.ts";
import { assert, defined } from "../../../std/assert.ts";
import type { PythonCall } from "../../../task/execute-batch.ts";
import { PYTHON_LAST_WORDS_MS } from "../hosts-limits.ts";
import { pythonCandidates } from "./python-environment.ts";
import { PythonPrints } from "./python-prints.ts";
import { fromPython, toPython } from "./python-values.ts";
import { tmpdir } from "node:os";

export interface PythonRequest {
  readonly code: PythonCode;
  readonly inputs: unknown;
  readonly call: PythonCall;
  readonly started: (pid: number) => void;
}

interface Answer {
  readonly ok?: unknown;
  readonly error?: {
    readonly name: string;
    readonly message: string;
    readonly stack: string;
    readonly exit?: number;
  };
  readonly buffers: readonly number[];
  /** Its prints end with marks: the step has not closed its standard streams. */
  readonly isMarked?: boolean;
}

interface Interpreter {
  readonly process: ChildProcess;
  readonly prints: readonly PythonPrints[];
}

let interpreter: Interpreter | undefined;

export async function callPython(request: PythonRequest): Promise<unknown> {
  const { call } = request;
  const buffers: Uint8Array[] = [];
  const inputs = await toPython(request.inputs, buffers);
  interpreter ??= await start(request);
  const { process: python, prints } = interpreter;
  for (const item of prints) item.begin(call.log);
  const stop = (): void => void python.kill("SIGINT");
  call.context.signal.addEventListener("abort", stop, { once: true });
  try {
    const { seed, run, task, attempt } = call.context;
    const head = {
      dir: sourcesDir(request),
      entry: request.code.entry,
      fn: request.code.fn,
      id: request.code.codeId,
      inputs,
      ctx: { seed, run, task, attempt, imports: request.code.imports },
    };
    send(python, { ...head, buffers: buffers.map((item) => item.byteLength) }, buffers);
    const { answer, bodies } = await receive(python);
    if (answer.isMarked === true) await Promise.all(prints.map((item) => item.drained()));
    if (answer.error !== undefined) throw pythonError(answer.error, call.step);
    return await fromPython(answer.ok, bodies, (path) => call.context.file(path));
  } finally {
    call.context.signal.removeEventListener("abort", stop);
  }
}

/** Removed with the process's host: it is under the attempt's directory. */
function sourcesDir({ code, call }: PythonRequest): string {
  const dir = mkdtempSync(join(call.context.tempDir(), "sources-"));
  for (const [name, text] of Object.entries(code.files)) {
    const path = normalize(join(dir, name));
    // The entry may stand above its directory (`../shared/x.py`); such files are laid beside it.
    assert(path.startsWith(dir + sep), "a Python source inside its directory");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return dir;
}

async function start({ call, started }: PythonRequest): Promise<Interpreter> {
  const tried = pythonCandidates();
  for (const python of tried) {
    const made = spawn(python, ["-u", scriptPath(), String(process.pid)], {
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
      // Sets of texts in one order wherever and whenever they are made: a step that lists one repeats.
      env: { PYTHONHASHSEED: "0", ...process.env, ...call.env, PYTHONDONTWRITEBYTECODE: "1" },
      cwd: tmpdir(),
    });
    const isUp = await new Promise<boolean>((resolve) => {
      made.once("spawn", () => resolve(true));
      made.once("error", () => resolve(false));
    });
    if (!isUp) continue;
    made.once("exit", () => {
      interpreter = undefined;
    });
    if (made.pid !== undefined) started(made.pid);
    const prints = [
      new PythonPrints(defined(made.stdout), "out"),
      new PythonPrints(defined(made.stderr), "err"),
    ];
    return { process: made, prints };
  }
  throw new MfError("PYTHON_MISSING", { tried: tried.join(", ") });
}

/** tsc copies no .py: it stands in src of the package, which dist/src/engine/hosts/python/ is six levels below. */
function scriptPath(): string {
  const beside = fileURLToPath(new URL("mfpy.py", import.meta.url));
  if (existsSync(beside)) return beside;
  return fileURLToPath(new URL("../../../../../src/engine/hosts/python/mfpy.py", import.meta.url));
}

function send(python: ChildProcess, head: unknown, buffers: readonly Uint8Array[]): void {
  const body = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  const pipe = python.stdio[3] as Writable;
  pipe.on("error", () => undefined);
  for (const part of [length, body, ...buffers]) pipe.write(part);
}

function receive(python: ChildProcess): Promise<{ answer: Answer; bodies: Uint8Array[] }> {
  const pipe = python.stdio[4] as Readable;
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let held = 0;
    let needed = 4;
    const take = (piece: Buffer): void => {
      pieces.push(piece);
      held += piece.length;
      if (held < needed) return;
      const all = Buffer.concat(pieces.splice(0));
      pieces.push(all);
      const headEnd = 4 + all.readUInt32LE();
      needed = headEnd;
      if (held < needed) return;
      const answer = JSON.parse(all.toString("utf8", 4, headEnd)) as Answer;
      needed = headEnd + answer.buffers.reduce((sum, bytes) => sum + bytes, 0);
      if (held < needed) return;
      let at = headEnd;
      const bodies = answer.buffers.map((bytes) => all.subarray(at, (at += bytes)));
      release();
      resolve({ answer, bodies });
    };
    const died = (code: number | null, signal: string | null): void => {
      // The streams may still hold what it printed last; a process it left behind may hold them open.
      systemClock.after(PYTHON_LAST_WORDS_MS, () => ended(code, signal));
      python.once("close", ended);
    };
    const ended = (code: number | null, signal: string | null): void => {
      release();
      reject(
        signal === null
          ? new MfError("STEP_EXITED", { code: code ?? -1 })
          : new MfError("STEP_CRASHED", { signal }),
      );
    };
    const release = (): void => {
      pipe.off("data", take);
      python.off("exit", died);
      python.off("close", ended);
    };
    pipe.on("data", take);
    python.once("exit", died);
  });
}

function pythonError(error: NonNullable<Answer["error"]>, step: string): Error {
  const { name, message, stack, exit } = error;
  if (exit !== undefined) return new MfError("STEP_EXITED", { code: exit });
  return fromErrorRecord({
    code: "STEP_THREW",
    details: { step, name, message: `${name}: ${message}` },
    stack,
  });
}
