/**
 * Runs the test groups of dist/test, one after another, and tells the truth about each:
 * node:test's own closing lines, a final table, and an exit code that is 0 only when everything ran and passed.
 *   node scripts/test.mjs [group…] [--present] [--verbose]
 * A named group without a test file is a failure (a glob that matches nothing must not look green); `--present` and
 * a call without names run the groups that exist. A process that outlives its group is a failure and is ended by pid.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const GROUPS = ["tidy", "unit", "property", "conformance", "types", "e2e", "simulation"];
/** A hung file must not hang the suite; the longest honest file (meshes whose machines die) takes one to three minutes. */
const FILE_TIMEOUT_MS = 480_000;
/** A step host watches its parent about once a second, so an orphan may take this long to notice. */
const LEAK_GRACE_MS = 5_000;
const CLOSING_LINE = /^ℹ (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

const flags = process.argv.slice(2).filter((word) => word.startsWith("--"));
const named = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const isVerbose = flags.includes("--verbose");
const mayBeEmpty = named.length === 0 || flags.includes("--present");
const noSkip = process.env.MF_TEST_NO_SKIP === "1";

const unknown = named.filter((group) => !GROUPS.includes(group));
if (unknown.length > 0) {
  console.error(`Unknown test group ${unknown.join(", ")}. Groups: ${GROUPS.join(", ")}.`);
  process.exit(2);
}

const results = [];
for (const group of named.length > 0 ? named : GROUPS) {
  const files = testFiles(path.join(root, "dist", "test", group));
  if (files.length > 0) results.push(await runGroup(group, files));
  else results.push(emptyGroup(group, mayBeEmpty ? undefined : "no test file found"));
}
printTable(results);
if (results.every((result) => result.files === 0)) {
  console.error("No test file was found: build first (npm run build).");
  process.exit(1);
}
process.exit(results.some((result) => result.problems.length > 0) ? 1 : 0);

function testFiles(folder) {
  if (!existsSync(folder)) return [];
  const source = (file) =>
    path.join(root, path.relative(path.join(root, "dist"), file)).replace(/\.js$/, ".ts");
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".test.js"))
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => existsSync(source(file))) // dist/ keeps what a deleted source once compiled to
    .toSorted();
}

function emptyGroup(group, problem) {
  return {
    group,
    files: 0,
    counts: {},
    seconds: 0,
    problems: problem === undefined ? [] : [problem],
  };
}

async function runGroup(group, files) {
  console.log(`\n== ${group}: ${files.length} file(s)`);
  const mark = randomUUID();
  const startedAt = performance.now();
  const { output, code } = await runFiles(files, mark);
  const seconds = (performance.now() - startedAt) / 1000;
  const counts = closingCounts(output);
  const problems = [];
  if (code !== 0) problems.push(`node --test ended with ${code}`);
  if ((counts.tests ?? 0) === 0) problems.push("no test ran");
  if ((counts.fail ?? 0) > 0) problems.push(`${counts.fail} failed`);
  if (noSkip && (counts.skipped ?? 0) > 0)
    problems.push(`${counts.skipped} skipped (MF_TEST_NO_SKIP=1)`);
  problems.push(...(await leaks(mark)));

  if (problems.length > 0 && !isVerbose) console.log(output);
  const skipped = output.split("\n").filter((line) => /# SKIP|﹣ /.test(line));
  if (problems.length === 0 && !isVerbose) {
    for (const line of skipped) console.log(line);
    for (const line of output.split("\n")) if (CLOSING_LINE.test(line)) console.log(line);
  }
  return { group, files: files.length, counts, seconds, problems };
}

function runFiles(files, mark) {
  const child = spawn(
    process.execPath,
    [
      "--enable-source-maps",
      "--test",
      "--test-reporter=spec",
      "--test-concurrency=2",
      `--test-timeout=${FILE_TIMEOUT_MS}`,
      ...files,
    ],
    {
      cwd: root,
      env: { ...process.env, MF_TEST_MARK: mark, FORCE_COLOR: "0", NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const parts = [];
  const keep = (chunk) => {
    parts.push(chunk);
    if (isVerbose) process.stdout.write(chunk);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    // "exit", not "close": a leaked grandchild that holds our pipe must be reported, not waited for.
    child.on("exit", (code, signal) => {
      setTimeout(
        () => resolve({ output: Buffer.concat(parts).toString("utf8"), code: code ?? signal }),
        200,
      );
    });
  });
}

function closingCounts(output) {
  const counts = {};
  for (const line of output.split("\n")) {
    const match = CLOSING_LINE.exec(line);
    if (match !== null) counts[match[1]] = Number(match[2]);
  }
  return counts;
}

/** What still runs with our mark in its environment was started by the group and outlived it. */
async function leaks(mark) {
  if (!existsSync("/proc/self/environ")) return [];
  const until = performance.now() + LEAK_GRACE_MS;
  let left = marked(mark);
  while (left.length > 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    left = marked(mark);
  }
  for (const { pid } of left) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself between the look and the kill.
    }
  }
  return left.map(({ pid, command }) => `leaked process ${pid}: ${command}`);
}

function marked(mark) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        if (!readFileSync(`/proc/${name}/environ`, "latin1").includes(`MF_TEST_MARK=${mark}`))
          return [];
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return command === "" ? [] : [{ pid: Number(name), command: command.slice(0, 160) }];
      } catch {
        return []; // gone, or not ours to read
      }
    });
}

function printTable(rows) {
  console.log("\ngroup        files  tests   pass   fail  skipped  seconds  verdict");
  for (const { group, files, counts, seconds, problems } of rows) {
    const cells = [files, counts.tests ?? 0, counts.pass ?? 0, counts.fail ?? 0].map((count) =>
      String(count).padStart(6),
    );
    const skipped = String(counts.skipped ?? 0).padStart(8);
    const verdict =
      problems.length > 0 ? `FAILED: ${problems.join("; ")}` : files === 0 ? "none here" : "ok";
    console.log(
      `${group.padEnd(12)}${cells.join(" ")} ${skipped} ${seconds.toFixed(1).padStart(8)}  ${verdict}`,
    );
  }
}
