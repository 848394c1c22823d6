/** `mf ls-versions`: stored versions, newest first. JSON: [{"artifact","id","run","at","by","bytes","peers"}]. */
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { warnUnanswered, withReadSide } from "../compose.ts";
import { ageText, bytesText, isoTime } from "../output/format.ts";
import { writeTable } from "../output/table.ts";

/** Ids begin alike; this much tells them apart, and is enough for `mf get c:ID`. */
const ID_SHOWN = 16;

export async function lsVersionsCommand(
  context: CommandContext,
  prefix: string | undefined,
  options: CommonOptions,
): Promise<number> {
  const rows = await withReadSide(context, async (readSide, daemon) => {
    const versions = await readSide.versions(prefix);
    await warnUnanswered(context, daemon);
    return versions;
  });
  if (options.json === true) {
    writeJson(context, rows);
    return 0;
  }
  const now = context.clock.now();
  writeTable(context.terminal, rows, [
    { title: "artifact", text: (row) => row.artifact },
    { title: "id", text: (row) => shortId(row.id), raw: (row) => row.id },
    { title: "run", text: (row) => row.run },
    { title: "at", text: (row) => ageText(row.at, now), raw: (row) => isoTime(row.at) },
    { title: "by", text: (row) => row.by },
    {
      title: "bytes",
      align: "right",
      text: (row) => bytesText(row.bytes),
      raw: (row) => String(row.bytes),
    },
    { title: "peers", text: (row) => row.peers.join(",") },
  ]);
  return 0;
}

function shortId(id: string): string {
  return id.slice(0, ID_SHOWN);
}
