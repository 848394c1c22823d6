/** Finds the machine's Python: MF_PYTHON, python3, python. */
import { spawn } from "node:child_process";

export function pythonCandidates(environment: NodeJS.ProcessEnv = process.env): readonly string[] {
  const own = environment["MF_PYTHON"];
  return own === undefined || own === "" ? ["python3", "python"] : [own];
}

/**
 * Runs a script (standard library only) with JSON in and JSON out. Undefined: no interpreter could be started.
 * A script that fails rejects with what it wrote to standard error.
 */
export async function runPython<T>(script: string, input: unknown): Promise<T | undefined> {
  for (const command of pythonCandidates()) {
    const answer = await runWith(command, script, JSON.stringify(input));
    if (answer !== undefined) return JSON.parse(answer) as T;
  }
  return undefined;
}

function runWith(command: string, script: string, input: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const worker = spawn(command, ["-I", "-S", "-c", script], { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    let problem = "";
    worker.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    worker.stderr.setEncoding("utf8").on("data", (text: string) => (problem += text));
    worker.on("error", () => resolve(undefined));
    worker.on("close", (code) => {
      if (code === 0) resolve(output);
      // 127: a launcher without an interpreter behind it.
      else if (code === 127) resolve(undefined);
      else reject(new Error(problem.trim() || `${command} ended with ${String(code)}`));
    });
    worker.stdin.on("error", () => undefined);
    worker.stdin.end(input);
  });
}
