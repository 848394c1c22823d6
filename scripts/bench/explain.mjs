/** The edit table over a mesh: what `mf plan` says at a peer that did not submit, and what the run then does. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { withMesh } from "./mesh.mjs";

const FILES = {
  "sweep.ts": `import { collect, each, flow, p } from "meshflow";
import { scale } from "./lib.ts";
const sweep = flow("sweep", { n: p.number(6), k: p.number(1) });
const load = sweep.step("load", { n: sweep.params.n }, ({ n }) => ({ xs: Array.from({ length: n }, (_, i) => i) .map(scale) }));
const fit = sweep.step("fit", { x: each(load.xs) }, { retry: 1 }, ({ x }) => ({ loss: scale(x) + 1 }));
sweep.step("mean", { losses: collect(fit.loss), k: sweep.params.k }, {}, ({ losses, k }) => ({
  mean: (k * losses.reduce((a, b) => a + b, 0)) / losses.length }));
export default sweep;
`,
  "lib.ts": `import { RATE } from "./deep.ts";
export const scale = (x: number): number => x * RATE;
export const unused = 1;
`,
  "deep.ts": `export const RATE = 0.1;\n`,
};

const SETTINGS = "}, {}, ({ losses";
const cache = (policy) => ["sweep.ts", SETTINGS, `}, { cache: ${policy} }, ({ losses`];

/** What is edited (file, from, to) and which options are given. */
const ROWS = [
  { what: "first run" },
  { what: "again" },
  { what: "a comment", edit: ["lib.ts", "export const scale", "// why\nexport const scale"] },
  { what: "an unused helper", edit: ["lib.ts", "unused = 1", "unused = 2"] },
  { what: "a retry option", edit: ["sweep.ts", "retry: 1", "retry: 3"] },
  { what: "a constant two imports away", edit: ["deep.ts", "0.1", "0.2"] },
  { what: "the body of mean", edit: ["sweep.ts", "(k * losses", "(2 * k * losses"] },
  { what: "-p k=2", options: ["-p", "k=2"] },
  { what: "-p n=7", options: ["-p", "n=7"] },
  { what: "--seed 5", options: ["--seed", "5"] },
  { what: "a cache salt", edit: cache('{ salt: "v2" }') },
  { what: "a ttl that is over", edit: cache('{ ttl: "1ms" }') },
  { what: "cache: false", edit: cache("false") },
];

/** @param say takes each line; without it the rows are in the result. @returns what did not hold: plans that runs did not keep to */
export async function explain(say) {
  return withMesh(
    3,
    async (mesh) => {
      const [submitter, , asker] = mesh.peers;
      const rows = [];
      const problems = [];
      for (const { what, edit, options = [] } of ROWS) {
        const file = write(mesh, edit);
        const plan = await asker.json(["plan", file, "--no-check", ...options]);
        const why = await whyOf(asker, plan, ["plan", file, "--no-check", ...options]);
        for (const { name, state } of plan.steps) {
          const [first = "", reason] = why[name] ?? [];
          // A number that is only expected is told as "~6 run".
          const isTold = first.includes(state === "runs" ? "run" : state);
          if (!isTold || (state === "runs" && reason === undefined))
            problems.push(`${what}: --why ${name} says ${JSON.stringify(why[name])}`);
        }
        const run = JSON.parse(
          await submitter.mf(["submit", file, "--no-check", "--json", ...options]),
        );
        const { executed, reused } = run.tasks;
        const { runs, unknown } = plan.tasks;
        const isOpen = plan.steps.some((step) => step.isPredicted);
        if (executed < runs || (!isOpen && executed > runs + unknown))
          problems.push(`${what}: planned ${JSON.stringify(plan.tasks)}, executed ${executed}`);
        rows.push({ what, planned: plan.tasks, executed, reused, why });
        say?.(
          `${what}: planned ${JSON.stringify(plan.tasks)}, executed ${executed}, reused ${reused}`,
        );
        for (const line of Object.values(why).flat()) say?.(`  ${line}`);
      }
      return { ...(say === undefined ? { rows } : {}), problems };
    },
    ["--cpus", "1"],
  );
}

/** What `mf plan --why STEP` says of each step, as lines. */
async function whyOf(asker, { steps }, argv) {
  const names = steps.map(({ name }) => name);
  const text = await asker.mf([...argv, ...names.flatMap((name) => ["--why", name])]);
  const said = {};
  let lines = [];
  for (const line of text.split("\n")) {
    const name = names.find((each) => line.startsWith(`${each}:`));
    if (name !== undefined) said[name] = lines = [];
    if (line.trim() !== "") lines.push(line);
  }
  return said;
}

function write(mesh, edit) {
  const file = mesh.flow("sweep", FILES["sweep.ts"]);
  const folder = path.dirname(file);
  for (const [name, text] of Object.entries(FILES)) {
    const isEdited = edit?.[0] === name;
    if (isEdited && !text.includes(edit[1])) throw new Error(`${name} has no ${edit[1]}`);
    writeFileSync(path.join(folder, name), isEdited ? text.replace(edit[1], edit[2]) : text);
  }
  return file;
}
