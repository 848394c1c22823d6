/** Reads a home that nobody has open: a run's journal, the facts. */
import path from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./mf.mjs";

const load = (file) => import(pathToFileURL(path.join(root, "dist/src", file)).href);

/** Calls `use` with the store of `home`, opened as mf opens it (repairs included). */
export async function withStore(home, use) {
  const [{ openStore }, { systemClock }, { silentLogger }, { systemRandom }] = await Promise.all([
    load("store/open-store.js"),
    load("env/clock.js"),
    load("env/logger.js"),
    load("env/random.js"),
  ]);
  const store = await openStore(home, {
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** @param run "flow/id" */
export function readJournal(home, run) {
  const [flow, id] = run.split("/");
  return withStore(home, (store) => all(store.journal({ flow, id })));
}

export async function all(iterable) {
  const items = [];
  for await (const item of iterable) items.push(item);
  return items;
}

/** What is wrong with the journals in homes that nobody has open: copies that differ, tasks that stand twice, runs without an end. */
export async function journalProblems(homes) {
  const problems = [];
  const copies = new Map();
  for (const home of homes) {
    const name = path.basename(home);
    await withStore(home, async (store) => {
      for (const { run } of await store.runs()) {
        const entries = await all(store.journal(run));
        const text = `${run.flow}/${run.id}`;
        copies.set(text, [...(copies.get(text) ?? []), { name, entries }]);
      }
    });
  }
  for (const [run, held] of copies) problems.push(...problemsOf(run, held));
  return problems;
}

/** Where runs stood still for longest, the worst first: between which entries of their journals, and how long. */
export async function standstills(home) {
  return withStore(home, async (store) => {
    const found = [];
    for (const { run } of await store.runs()) {
      const entries = await all(store.journal(run));
      for (const [at, entry] of entries.slice(1).entries()) {
        const before = entries[at];
        const ms = entry.at - before.at;
        found.push({ ms, run: `${run.flow}/${run.id}`, at, from: before.t, to: entry.t });
      }
    }
    return found.toSorted((a, b) => b.ms - a.ms).slice(0, 3);
  });
}

function problemsOf(run, held) {
  const problems = [];
  for (const { name, entries } of held) {
    const tasks = entries
      .flatMap((entry) => entry.tasks ?? [])
      .map(({ step, index }) => `${step}[${index.join(",")}]`);
    const twice = tasks.length - new Set(tasks).size;
    if (twice > 0) problems.push(`${run} at ${name}: ${twice} tasks stand twice`);
    const ends = entries.filter((entry) => entry.t === "run-finished");
    if (ends.length !== 1 || entries.at(-1) !== ends[0])
      problems.push(`${run} at ${name}: ${ends.length} ends, last is ${entries.at(-1)?.t}`);
  }
  const texts = new Set(held.map(({ entries }) => JSON.stringify(entries)));
  const shapes = held.map(({ name, entries }) => `${name}: ${shapeOf(entries)}`).join(" | ");
  if (texts.size > 1) problems.push(`${run}: the copies differ: ${shapes}`);
  return problems;
}

/** Who owned it from which entry on, the length, the end. */
function shapeOf(entries) {
  const owners = entries.flatMap((entry, at) =>
    entry.t === "owner-changed" ? [`${entry.owner.name}/${entry.owner.ballot}@${at}`] : [],
  );
  return `${owners.join(" ")}, ${entries.length} entries, ${entries.at(-1)?.t}`;
}
