/** `mf export`: a run into one file. JSON: {"run","file","bytes","contents","absent"}. */
import { exportRun } from "../../src/client/pack/export-run.ts";
import { Records } from "../../src/client/records.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { bytesText, countText } from "../output/format.ts";
import { ticker } from "../output/ticker.ts";
import { packageVersion } from "../package-root.ts";
import { asUsage, refuseToReplace } from "../pack-file.ts";

export interface ExportOptions extends CommonOptions {
  readonly output: string;
  readonly data: boolean;
  readonly force?: boolean;
}

export function exportCommand(
  context: CommandContext,
  run: string,
  { output: file, data: hasData, force, json }: ExportOptions,
): Promise<number> {
  refuseToReplace(file, force);
  return withReadSide(context, async (readSide) => {
    const summary = await readSide.run(run);
    const tick = ticker(context);
    const exported = await exportRun(new Records(readSide), summary, {
      file,
      hasData,
      version: packageVersion(),
      onProgress: ({ bytes, total }) =>
        tick.tell(`writing ${bytesText(bytes)} of ${bytesText(total)}`),
    })
      .catch(asUsage("export", file))
      .finally(() => tick.end());
    if (json === true) {
      writeJson(context, { ...exported, file });
      return 0;
    }
    const { bytes, contents, absent } = exported;
    context.terminal.out(`${file}\n`);
    const without = absent === 0 ? "" : `; ${countText(absent, "content")} left out`;
    context.terminal.err(
      `exported ${exported.run}: ${bytesText(bytes)}, ${countText(contents, "content")}${without}\n`,
    );
    return 0;
  });
}
