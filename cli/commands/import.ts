/** `mf import`: a run from a file. JSON: {"run","state","tasks","contents","hasData","absent","isNew","isCompleted","isRestored"}. */
import { importPack, type Imported } from "../../src/client/pack/import-pack.ts";
import { Records } from "../../src/client/records.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { openImportSide } from "../compose.ts";
import { bytesText, countText } from "../output/format.ts";
import { ticker } from "../output/ticker.ts";
import { asUsage } from "../pack-file.ts";
import { userName } from "../../src/client/user-name.ts";

export async function importCommand(
  context: CommandContext,
  file: string,
  options: CommonOptions,
): Promise<number> {
  const side = await openImportSide(context);
  const tick = ticker(context);
  let imported: Imported;
  try {
    const target = {
      records: new Records(side.readSide),
      scratchDir: side.scratchDir,
      now: context.clock.now(),
      user: userName(),
      adopt: side.adopt,
      mark: side.mark,
    };
    imported = await importPack(file, target, (what, { bytes, total }) =>
      tick.tell(`${what} ${bytesText(bytes)} of ${bytesText(total)}`),
    ).catch(asUsage("import", file));
  } finally {
    tick.end();
    await side.close();
  }
  if (options.json === true) {
    writeJson(context, imported);
    return 0;
  }
  context.terminal.out(`${imported.run}\n`);
  context.terminal.err(summaryOf(imported));
  return 0;
}

function summaryOf({ run, state, tasks, contents, absent, ...was }: Imported): string {
  if (was.isRestored) return `${run} had been removed here; it is back\n`;
  if (was.isCompleted) return `${run} was here; the data it lacked is now, too\n`;
  if (!was.isNew) return `${run} was here already\n`;
  const without = absent === 0 ? "" : `; ${countText(absent, "content")} not in the file`;
  return `imported ${run} (${state}): ${countText(tasks, "task")}, ${countText(contents, "content")}${without}\n`;
}
