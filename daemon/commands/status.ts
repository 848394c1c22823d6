/** `mfd status`: the daemon of this home. JSON: {"pid","name","id","listen","peers","runs","store":{"bytes","freeBytes","state"}} and more. */
import { type CommonOptions, writeJson } from "../../cli/command-context.ts";
import { bytesText, countText, durationText } from "../../cli/output/format.ts";
import { createPaint } from "../../cli/output/paint.ts";
import { type DaemonContext, withDaemon } from "../daemon-context.ts";

export async function statusCommand(
  context: DaemonContext,
  options: CommonOptions,
): Promise<number> {
  const status = await withDaemon(context, (side) => side.daemonStatus());
  if (options.json === true) {
    writeJson(context, status);
    return 0;
  }
  const { terminal, clock } = context;
  const paint = createPaint(terminal.colourOut);
  const { name, id, pid, version, listen, mesh, roles, store } = status;
  const upText = durationText(Math.max(0, clock.now() - status.startedAt));
  const draining = status.isDraining ? `, ${paint.yellow("draining")}` : "";
  const lines = [
    `mfd ${paint.bold(name)} (${id}), process ${pid}, up ${upText}, version ${version}${draining}`,
    `listens on ${listen.length === 0 ? "nothing" : listen.join(", ")}`,
    `mesh ${mesh.slice(0, 8)}, ${countText(status.peers, "peer")}, roles ${roles.join(", ")}`,
    `${countText(status.runs, "run")} owned here`,
    `store ${bytesText(store.bytes)}, ${bytesText(store.freeBytes)} free, ${store.state}; home ${context.home}`,
  ];
  terminal.out(`${lines.join("\n")}\n`);
  return 0;
}
