/** Lists, counts and logs tell peers apart by name alone: where two present ones have the same, it is said. */
import type { PeerRow } from "../src/client/control/daemon-side.ts";
import type { Terminal } from "./output/terminal.ts";

export function warnEqualNames(
  terminal: Pick<Terminal, "err">,
  rows: readonly Pick<PeerRow, "name" | "state">[],
): void {
  const present = rows.filter(({ state }) => state !== "left").map(({ name }) => name);
  const twice = new Set(present.filter((name, at) => present.indexOf(name) !== at));
  for (const name of twice)
    terminal.err(
      `warning: several peers are called ${name}; give one another name: mfd stop, then mfd start --name NAME\n`,
    );
}
