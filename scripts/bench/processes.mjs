/** Which processes belong to a home: what a campaign must not leave behind. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** A step host watches its parent about once a second. */
const GONE_WITHIN_MS = 5_000;

export async function processesLeft(home) {
  const until = performance.now() + GONE_WITHIN_MS;
  let left = processesOf(home);
  while (left.length > 0 && performance.now() < until) {
    await sleep(50);
    left = processesOf(home);
  }
  return left.length;
}

/** Whoever has the home in its environment or on its command line. A process that ends while we look is gone. */
function processesOf(home) {
  const names = (pid) => {
    try {
      const text = ["environ", "cmdline"].map((name) =>
        readFileSync(`/proc/${pid}/${name}`, "latin1"),
      );
      return text.join("\0").includes(home);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && names(pid));
}
