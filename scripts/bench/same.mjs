/** A hundred submits of one flow at once, from three peers: how often each task was executed, by the journals and by the steps themselves. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { FOREACH_ANSWER } from "./flows.mjs";
import { readJournal } from "./journal.mjs";
import { withMesh } from "./mesh.mjs";
import { root } from "./mf.mjs";

/** Of each peer. */
const SUBMITS = [34, 33, 33];
const WIDTH = 40;
const TASK_MS = 20;

const load = (file) => import(pathToFileURL(path.join(root, "dist/src", file)).href);

/** Every step says in a file that it was executed. */
function countedFlow(file) {
  return `import { appendFileSync } from "node:fs";
import { collect, each, flow } from "meshflow";
const counted = flow("counted");
const list = counted.step("list", {}, () => {
  appendFileSync(${JSON.stringify(file)}, "list\\n");
  return { items: Array.from({ length: ${WIDTH} }, (_, i) => i) };
});
const work = counted.step("work", { n: each(list.items) }, async ({ n }) => {
  appendFileSync(${JSON.stringify(file)}, "work[" + n + "]\\n");
  await new Promise((resolve) => setTimeout(resolve, ${TASK_MS}));
  return { n };
});
counted.step("sum", { all: collect(work.n) }, ({ all }) => {
  appendFileSync(${JSON.stringify(file)}, "sum\\n");
  return { total: all.reduce((a, b) => a + b, 0) };
});
export default counted;
`;
}

export async function same() {
  return withMesh(3, async (mesh) => {
    const lines = path.join(path.dirname(mesh.flow("counted", "")), "executed.txt");
    const file = mesh.flow("counted", countedFlow(lines));
    const started = performance.now();
    const runs = await submitAll(mesh, file);
    const wallMs = Math.round(performance.now() - started);
    const total = await mesh.peers[2].json(["get", `${runs[0].run}/sum/total`]);
    await Promise.all(mesh.peers.map((peer) => peer.kill("SIGTERM")));
    const tasks = WIDTH + 2;
    const journalled = await executedByJournals(mesh, runs);
    const said = existsSync(lines) ? readFileSync(lines, "utf8").trimEnd().split("\n") : [];
    const problems = [];
    const notDone = runs.filter(({ result }) => result.state !== "succeeded");
    if (notDone.length > 0) problems.push(`${notDone.length} runs did not succeed`);
    if (said.length !== tasks) problems.push(`${said.length} executions by the steps' own count`);
    if (new Set(said).size !== tasks) problems.push(`${new Set(said).size} different tasks`);
    if (journalled !== tasks) problems.push(`${journalled} executions by the journals`);
    if (total !== FOREACH_ANSWER(WIDTH)) problems.push(`answer ${total}`);
    return {
      submits: runs.length,
      tasksOfEach: tasks,
      executedByJournals: journalled,
      executedBySteps: said.length,
      reused: runs.reduce((sum, { result }) => sum + result.tasks.reused, 0),
      wallMs,
      problems,
    };
  });
}

/** All at once, over the daemons' own sockets: a hundred processes of mf would come one after another. */
async function submitAll(mesh, file) {
  const { loadFlow } = await load("code/load-flow.js");
  const { connectDaemon } = await load("client/control/control-client.js");
  const { package: flowPackage } = await loadFlow(file, { checkTypes: false });
  const runs = await Promise.all(
    mesh.peers.map(async (peer, at) => {
      const { side, close } = await connectDaemon(peer.home);
      const one = async () => {
        const { run } = await side.submit({ flowPackage, params: {}, user: "bench", options: {} });
        const signal = new AbortController().signal;
        return { run, peer, result: await side.watch(run, () => undefined, signal) };
      };
      const ended = await Promise.all(Array.from({ length: SUBMITS[at] }, one));
      close();
      return ended;
    }),
  );
  return runs.flat();
}

/** A task that was reused has no attempt. */
async function executedByJournals(mesh, runs) {
  let count = 0;
  for (const { run, peer } of runs)
    for (const entry of await readJournal(peer.home, run))
      if (entry.t === "tasks-succeeded")
        count += entry.tasks.filter(({ attempt }) => attempt !== undefined).length;
  return count;
}
