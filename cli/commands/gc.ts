/**
 * `mf gc`: the runs that the rules do not keep are removed, then every peer frees what no run needs. JSON: {"isDryRun","removed",
 * "runs","facts","contents","bytes","diskBytes","peers":[{"peer","isComplete" and the same counts}],"unanswered"}.
 */
import { collect } from "../../src/client/collection/collect.ts";
import { removalsByRules, runsOf } from "../../src/client/collection/remove-runs.ts";
import { localRoots } from "../../src/client/collection/roots.ts";
import type { Collected, PeerCollected } from "../../src/client/control/daemon-side.ts";
import { Records } from "../../src/client/records.ts";
import type { SweepReport } from "../../src/store/ports.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { LONE_PEER, withHome, type HomeSide } from "../compose.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { bytesText, countText } from "../output/format.ts";
import { writeTable, type Column } from "../output/table.ts";
import { userName } from "../../src/client/user-name.ts";
import { writeChanges } from "./rm.ts";

export interface GcOptions extends CommonOptions {
  readonly keep?: number;
  readonly keepDays?: number;
  readonly flow?: string;
  readonly dryRun?: boolean;
}

/** Marks that are written with one question. */
const MARKS_BATCH = 1000;

export async function gcCommand(context: CommandContext, options: GcOptions): Promise<number> {
  const isDryRun = options.dryRun === true;
  const { removed, collected } = await withHome(context, async (home) => {
    const { keep, keepDays, flow } = options;
    const rules = {
      ...(keep === undefined ? {} : { keep }),
      ...(keepDays === undefined ? {} : { keepDays }),
      ...(flow === undefined ? {} : { flow }),
    };
    const who = { user: userName(), now: context.clock.now() };
    const changes = await removalsByRules(new Records(home.readSide), rules, who);
    if (!isDryRun)
      for (let at = 0; at < changes.length; at += MARKS_BATCH)
        await writeChanges(context, home, changes.slice(at, at + MARKS_BATCH));
    const removed = runsOf(changes);
    return { removed, collected: await collectThere(context, home, { isDryRun, removed }) };
  });
  const total = totalOf(collected.peers);
  if (options.json === true) {
    writeJson(context, { isDryRun, removed, ...total, ...collected });
    return 0;
  }
  tell(context, { isDryRun, removed, total, collected });
  return 0;
}

interface Asked {
  readonly isDryRun: boolean;
  readonly removed: readonly string[];
}

async function collectThere(
  context: CommandContext,
  home: HomeSide,
  { isDryRun, removed }: Asked,
): Promise<Collected> {
  if ("store" in home) {
    const roots = (): ReturnType<typeof localRoots> => localRoots(home.store, new Set(removed));
    const { clock } = context;
    const report = await collect(home.store, roots, { isDryRun, now: clock.now() });
    return { peers: [{ peer: LONE_PEER, ...report }], unanswered: [] };
  }
  const interrupt = listenForInterrupt();
  const stop = new AbortController();
  interrupt.onAsked(() => stop.abort());
  try {
    const request = { isDryRun, alsoRemoved: isDryRun ? removed : [] };
    const tellPeer = ({ peer, bytes }: PeerCollected): void => {
      if (context.terminal.isLive)
        context.terminal.err(`${peer}: ${bytesText(bytes)}${isDryRun ? " would go" : ""}\n`);
    };
    return await home.daemon.collect(request, tellPeer, stop.signal);
  } finally {
    interrupt.stop();
  }
}

function totalOf(peers: readonly SweepReport[]): SweepReport {
  const sum = (of: (peer: SweepReport) => number): number =>
    peers.reduce((total, peer) => total + of(peer), 0);
  return {
    runs: sum(({ runs }) => runs),
    facts: sum(({ facts }) => facts),
    contents: sum(({ contents }) => contents),
    bytes: sum(({ bytes }) => bytes),
    diskBytes: sum(({ diskBytes }) => diskBytes),
  };
}

interface Told extends Asked {
  readonly total: SweepReport;
  readonly collected: Collected;
}

/** What it shrinks by is known once it is done. */
const DISK_COLUMN: Column<PeerCollected> = {
  title: "disk",
  align: "right",
  text: ({ diskBytes }) => bytesText(diskBytes),
  raw: ({ diskBytes }) => String(diskBytes),
};

function tell({ terminal }: CommandContext, { isDryRun, removed, total, collected }: Told): void {
  const { peers, unanswered } = collected;
  writeTable(terminal, peers, [
    { title: "peer", text: ({ peer }) => peer },
    { title: "facts", align: "right", text: ({ facts }) => String(facts) },
    { title: "contents", align: "right", text: ({ contents }) => String(contents) },
    {
      title: isDryRun ? "would free" : "freed",
      align: "right",
      text: ({ bytes }) => bytesText(bytes),
      raw: ({ bytes }) => String(bytes),
    },
    ...(isDryRun ? [] : [DISK_COLUMN]),
  ]);
  if (isDryRun) for (const run of removed) terminal.err(`would remove ${run}\n`);
  const runs = countText(removed.length, "run");
  terminal.err(
    isDryRun
      ? `would remove ${runs} and free ${bytesText(total.bytes)}\n`
      : `removed ${runs}; freed ${bytesText(total.bytes)}\n`,
  );
  if (unanswered.length > 0)
    terminal.err(
      `warning: no answer from ${unanswered.join(", ")}; they collect when they are back\n`,
    );
  if (peers.some(({ isComplete }) => !isComplete))
    terminal.err(
      "note: not every peer of the mesh was heard (or this one began just now), so only what removed runs name was freed\n",
    );
}
