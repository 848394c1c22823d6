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
