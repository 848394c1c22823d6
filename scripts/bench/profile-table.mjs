/** Folds the .cpuprofile files of a folder into self time by function; waiting and the profiler itself are left out. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** "dispatch" is the inspector writing a profile. */
const NOT_WORK = new Set(["(idle)", "(root)", "(program)", "dispatch"]);

/** @returns by program and thread: { title, busyMs, rows } */
export function profileTables(folder, { root, top }) {
  const groups = new Map();
  for (const file of readdirSync(folder)) {
    const [program, role] = file.split(".");
    const title = titleOf(program, role);
    if (!groups.has(title)) groups.set(title, new Map());
    addSelfTimes(
      groups.get(title),
      JSON.parse(readFileSync(path.join(folder, file), "utf8")),
      root,
    );
  }
  return [...groups]
    .map(([title, times]) => tableOf(title, times, top))
    .filter((table) => table.busyMs > 0)
    .toSorted((a, b) => b.busyMs - a.busyMs);
}

function titleOf(program, role) {
  const process = program === "main" ? "control process" : program;
  return role.startsWith("thread") ? `${process}, threads` : `${process}, main thread`;
}

function addSelfTimes(times, { nodes, samples, timeDeltas }, root) {
  const places = new Map(nodes.map((node) => [node.id, placeOf(node.callFrame, root)]));
  for (const [at, id] of samples.entries()) {
    const place = places.get(id);
    times.set(place, (times.get(place) ?? 0) + (timeDeltas[at] ?? 0) / 1000);
  }
}

function placeOf({ functionName, url, lineNumber }, root) {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const file = url
    .replace(/^file:\/\//, "")
    .replace(`${root}/`, "")
    .replace(/^.*node_modules\//, "");
  return `${name}  ${file}:${lineNumber + 1}`;
}

function tableOf(title, times, top) {
  const busy = [...times].filter(
    ([place]) => !NOT_WORK.has(place) && !place.includes("profile-hook"),
  );
  const busyMs = busy.reduce((sum, [, ms]) => sum + ms, 0);
  const rows = busy
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, top)
    .map(([place, ms]) => {
      const [name = "", at = ""] = place.split("  ");
      return { name, place: at, ms: Math.round(ms), share: ms / busyMs };
    });
  return { title, busyMs: Math.round(busyMs), rows };
}
