/**
 * `mf peers`: every machine of the mesh. JSON: [{"name","id","self","state","cpus","memBytes","gpus","load","slots","version"}], with
 * --wide all that is known of each.
 */
import type { DaemonSide, PeerRow } from "../../src/client/control/daemon-side.ts";
import { delay } from "../../src/env/clock.ts";
import { isMfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withDaemon } from "../compose.ts";
import { warnEqualNames } from "../equal-names.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { bytesText } from "../output/format.ts";
import { createPaint } from "../output/paint.ts";
import { drawTable, drawTsv, type Column } from "../output/table.ts";
import { daemonAgain } from "../reconnect.ts";

export interface PeersOptions extends CommonOptions {
  readonly wide?: boolean;
  readonly watch?: boolean;
}

const WATCH_INTERVAL_MS = 1_000;
/** Ids begin alike, so their ends are shown. */
const ID_SHOWN = 8;
const SCREEN_CLEAR = "\u001B[H\u001B[J";

export function peersCommand(context: CommandContext, options: PeersOptions): Promise<number> {
  return withDaemon(context, async (side) => {
    if (options.watch !== true) {
      const rows = await side.peers();
      show(context, rows, options);
      if (options.json !== true) warnEqualNames(context.terminal, rows);
      return 0;
    }
    const interrupt = listenForInterrupt();
    const stop = new AbortController();
    interrupt.onAsked(() => stop.abort());
    try {
      await watchPeers(context, { side, signal: stop.signal }, options);
    } finally {
      interrupt.stop();
    }
    return 0;
  });
}

interface Watching {
  readonly side: DaemonSide;
  readonly signal: AbortSignal;
}

/** A daemon that is restarted meanwhile is waited for. */
async function watchPeers(
  context: CommandContext,
  { side: first, signal }: Watching,
  options: PeersOptions,
): Promise<void> {
  const isRedrawn = context.terminal.isOutTty && options.json !== true;
  let side = first;
  let closeOwn = (): void => undefined;
  try {
    while (!signal.aborted) {
      try {
        const rows = await side.peers();
        if (isRedrawn) context.terminal.out(SCREEN_CLEAR);
        show(context, rows, options);
        await delay(context.clock, WATCH_INTERVAL_MS, signal);
      } catch (error) {
        if (!isMfError(error, "CONTROL_LOST")) throw error;
        context.terminal.err("the daemon of this home ended; waiting until it is back\n");
        const again = await daemonAgain(context, signal);
        if (again === undefined && !signal.aborted) throw error;
        if (again === undefined) return;
        closeOwn();
        ({ side } = again);
        closeOwn = () => again.close();
      }
    }
  } finally {
    closeOwn();
  }
}

function show(context: CommandContext, rows: readonly PeerRow[], options: PeersOptions): void {
  const { terminal } = context;
  if (options.json === true) {
    writeJson(context, options.wide === true ? rows : rows.map(shortRow));
    return;
  }
  const isWide = options.wide === true;
  const columns = isWide
    ? [...mainColumns(context, isWide), ...WIDE]
    : mainColumns(context, isWide);
  // What was asked for in full is not cut to the width of the window.
  const page = isWide ? { ...terminal, width: () => Number.MAX_SAFE_INTEGER } : terminal;
  terminal.out(terminal.isOutTty ? drawTable(page, rows, columns) : drawTsv(rows, columns));
}

function shortRow(row: PeerRow): object {
  const { name, id, self, state, cpus, memBytes, gpus, load, slots, version } = row;
  return { name, id, self, state, cpus, memBytes, gpus, load, slots, version };
}

function mainColumns({ terminal }: CommandContext, isWide: boolean): Column<PeerRow>[] {
  const paint = createPaint(terminal.colourOut);
  const styles: Readonly<Record<PeerRow["state"], (text: string) => string>> = {
    alive: paint.green,
    suspect: paint.yellow,
    dead: paint.red,
    asleep: paint.dim,
    left: paint.dim,
  };
  return [
    {
      title: "name",
      text: (row) => (row.self ? `${row.name} *` : row.name),
      raw: (row) => row.name,
    },
    {
      title: "id",
      text: (row) => (isWide ? row.id : row.id.slice(-ID_SHOWN)),
      raw: (row) => row.id,
    },
    { title: "state", text: (row) => row.state, style: (row) => styles[row.state] },
    { title: "cpus", align: "right", text: (row) => String(row.cpus) },
    {
      title: "memory",
      align: "right",
      text: (row) => bytesText(row.memBytes),
      raw: (row) => String(row.memBytes),
    },
    {
      title: "gpus",
      align: "right",
      text: (row) => (row.gpus.length === 0 ? "-" : String(row.gpus.length)),
      raw: (row) => String(row.gpus.length),
    },
    {
      title: "load",
      align: "right",
      text: (row) => `${Math.round(row.load * 100)} %`,
      raw: (row) => String(row.load),
    },
    { title: "slots", align: "right", text: (row) => `${row.slots.busy}/${row.slots.total}` },
    {
      title: "disk",
      align: "right",
      text: (row) => bytesText(row.diskFreeBytes),
      raw: (row) => String(row.diskFreeBytes),
    },
    { title: "version", text: (row) => row.version },
    {
      title: "latency",
      align: "right",
      text: (row) => (row.latencyMs === undefined ? "-" : `${row.latencyMs.toFixed(1)} ms`),
      raw: (row) => (row.latencyMs === undefined ? "" : row.latencyMs.toFixed(3)),
    },
  ];
}

const WIDE: readonly Column<PeerRow>[] = [
  {
    title: "free memory",
    align: "right",
    text: (row) => bytesText(row.memFreeBytes),
    raw: (row) => String(row.memFreeBytes),
  },
  { title: "takes work", text: (row) => (row.isAccepting ? "yes" : "no") },
  { title: "roles", text: (row) => row.roles.join(",") },
  {
    title: "labels",
    text: (row) =>
      Object.entries(row.labels)
        .map(([name, value]) => (value === "" ? name : `${name}=${value}`))
        .join(","),
  },
  { title: "gpu names", text: (row) => row.gpus.map((gpu) => gpu.name).join(",") },
  { title: "addresses", text: (row) => row.addresses.join(" ") },
];
