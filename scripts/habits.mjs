/**
 * Runs every row of docs/habits.md that has a command, from top to bottom, in an empty home, and checks its exit code:
 *   node scripts/habits.mjs [--json]
 * Exit code 1 where one was another than the page says.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { program, root } from "./bench/mf.mjs";

const json = process.argv.includes("--json");
const place = mkdtempSync(path.join(tmpdir(), "mf-habits-"));
const home = path.join(place, "home");
const work = path.join(place, "work");
/** Of one command. */
const TIMEOUT_MS = 120_000;

function mf(line) {
  const startedAt = performance.now();
  const script = `mf() { "${process.execPath}" "${program}" "$@"; }; ${line}`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], {
    cwd: work,
    env: { ...process.env, MF_HOME: home, NO_COLOR: "1" },
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  return { status, stdout, stderr, ms: Math.round(performance.now() - startedAt) };
}

function must(line) {
  const { status, stdout, stderr } = mf(line);
  if (status !== 0) throw new Error(`${line}: exit ${status}\n${stdout}${stderr}`);
  return stdout;
}

/** The two runs and the failing flow that the page begins with. */
function prepare() {
  mkdirSync(work, { recursive: true });
  symlinkSync(path.join(root, "node_modules"), path.join(place, "node_modules"));
  const flow = readFileSync(path.join(root, "examples/weather.ts"), "utf8");
  const edited = flow.replace("row.rainMm > most.rainMm", "row.rainyDays > most.rainyDays");
  if (edited === flow) throw new Error("examples/weather.ts looks for the wettest month otherwise");
  writeFileSync(path.join(work, "weather.ts"), flow);
  must("mf run weather.ts --tag v1");
  writeFileSync(path.join(work, "weather.ts"), edited);
  must("mf run weather.ts");
  writeFileSync(path.join(work, "flaky.ts"), FLAKY);
  mf("mf run flaky.ts");
}

const FLAKY = `import { flow, p } from "meshflow";
import { readFileSync } from "node:fs";

const flaky = flow("flaky", { n: p.number(2) });
const make = flaky.step("make", { n: flaky.params.n }, ({ n }) => ({ list: Array.from({ length: n }, (_, i) => i) }));
flaky.step("last", { list: make.list }, ({ list }) => ({ text: readFileSync("/nonexistent/meshflow", "utf8") + list.length }));
export default flaky;
`;

function rowsOf(page) {
  return page.split("\n").flatMap((line) => {
    const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const command = /^`(mf .*)`$/.exec(cells[2] ?? "")?.[1];
    if (command === undefined) return [];
    return [{ command, exit: Number(/exit (\d+)/.exec(cells[3] ?? "")?.[1] ?? 0) }];
  });
}

/** Today, in the zone of this machine; and the beginning of an id that only one content has. */
function filled(command) {
  if (command.includes("TODAY"))
    return command.replace("TODAY", new Date().toLocaleDateString("sv"));
  if (!command.includes("PREFIX")) return command;
  const [row] = JSON.parse(must("mf ls-versions weather/summary/table --json -n 1"));
  return command.replace("PREFIX", row.id.slice(0, 20));
}

/** Fewer, and it is the reading of the page that has gone wrong. */
const ROWS_MIN = 40;

let wrong = 0;
try {
  prepare();
  const rows = rowsOf(readFileSync(path.join(root, "docs/habits.md"), "utf8"));
  if (rows.length < ROWS_MIN) throw new Error(`docs/habits.md has ${rows.length} commands`);
  for (const { command, exit } of rows) {
    const line = filled(command);
    const { status, stdout, stderr, ms } = mf(line);
    const isRight = status === exit;
    if (!isRight) wrong++;
    const first = (stdout || stderr).split("\n")[0] ?? "";
    if (json)
      console.log(JSON.stringify({ command: line, exit: status, expected: exit, ms, first }));
    else {
      const verdict = isRight ? "ok  " : `NOT ${exit}`;
      console.log(
        `${verdict} exit ${status} ${String(ms).padStart(6)} ms  ${line}\n       ${first.slice(0, 110)}`,
      );
      if (!isRight) console.log(stderr);
    }
  }
} finally {
  rmSync(place, { recursive: true, force: true });
}
if (!json)
  console.log(
    wrong === 0 ? "every row as the page says" : `${wrong} rows are not as the page says`,
  );
process.exit(wrong === 0 ? 0 : 1);
