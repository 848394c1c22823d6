/**
 * Repeating on another peer: every example is submitted at the first of two daemons, the sources are deleted, and `mf rerun --verify` at
 * the second executes everything again. All must be identical; of a flow with one step that draws and one that reads the clock, just
 * these two must be named.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { flakyFlow } from "./flows.mjs";
import { withMesh } from "./mesh.mjs";
import { root } from "./mf.mjs";

/** @returns for each flow what was compared, with `problems` */
export async function repeat() {
  const folder = mkdtempSync(path.join(tmpdir(), "mf-repeat-"));
  try {
    return await withMesh(2, (mesh) => repeatAll(mesh, folder), ["--cpus", "1"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function repeatAll({ peers: [a, b] }, folder) {
  const examples = path.join(folder, "examples");
  cpSync(path.join(root, "examples"), examples, { recursive: true });
  symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
  writeFileSync(path.join(examples, "flaky.ts"), flakyFlow());
  const runs = new Map();
  const skipped = {};
  for (const name of readdirSync(examples).filter((file) => file.endsWith(".ts"))) {
    try {
      const submitted = await a.json(["submit", path.join(examples, name), "--no-check"]);
      runs.set(name, submitted.run);
    } catch (error) {
      // What a package of Python is missing for is no matter of repeating.
      if (!error.message.includes("PYTHON_")) throw error;
      skipped[name] = /PYTHON_\w+/.exec(error.message)[0];
    }
  }
  rmSync(examples, { recursive: true });
  rmSync(path.join(folder, "node_modules"));
  const problems = [];
  const flows = {};
  for (const [name, run] of runs) {
    const started = performance.now();
    const { tasks, verify } = await verified(b, run);
    const { identical, different, incomparable, diverged } = verify;
    const wallMs = Math.round(performance.now() - started);
    flows[name] = {
      executed: tasks.executed,
      identical,
      different,
      incomparable,
      diverged,
      wallMs,
    };
    if (tasks.reused > 0) problems.push(`${name}: ${tasks.reused} tasks were reused`);
    const wanted = name === "flaky.ts" ? "dice clock" : "";
    if (diverged.join(" ") !== wanted) problems.push(`${name}: ${diverged.join(" ")} diverged`);
    if (name !== "flaky.ts" && different + incomparable > 0)
      problems.push(`${name}: not all identical`);
  }
  return { flows, skipped, problems };
}

/** Exit code 1 says that something differs, which is an answer. */
async function verified(peer, run) {
  const outcome = await peer.outcome(["rerun", run, "--verify", "--json"]);
  if (![0, 1].includes(outcome.code)) throw new Error(`rerun ${run}: ${outcome.stderr}`);
  return JSON.parse(outcome.stdout);
}
