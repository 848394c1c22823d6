/** Runs `mf run --json` on a flow file in a fresh home, as a user does, and says how long it took. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const program = path.join(root, "dist/cli/main.js");

export async function withFlow(source, use) {
  const folder = mkdtempSync(path.join(tmpdir(), "mf-bench-"));
  const file = path.join(folder, "flow.ts");
  const home = path.join(folder, "home");
  writeFileSync(file, source);
  try {
    return await use({ file, home });
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** @returns { wallMs, durationMs, tasks } @throws where the run did not succeed */
export function runFlow({ file, home, env = {}, args = [] }) {
  const started = performance.now();
  const child = spawn(process.execPath, [program, "run", "--json", file, ...args], {
    env: { ...process.env, ...env, MF_HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      const wallMs = performance.now() - started;
      if (code !== 0) return reject(new Error(`mf run ended with ${code}: ${stderr}${stdout}`));
      const { run, durationMs, tasks } = JSON.parse(stdout.trim().split("\n").at(-1));
      resolve({ run, wallMs, durationMs, tasks });
    });
  });
}

/** What another command prints as JSON. */
export function mfJson(home, args) {
  const child = spawn(process.execPath, [program, ...args, "--json"], {
    env: { ...process.env, MF_HOME: home },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  child.stdout.on("data", (text) => (stdout += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(JSON.parse(stdout)) : reject(new Error(`mf ${args.join(" ")}: ${code}`)),
    );
  });
}
