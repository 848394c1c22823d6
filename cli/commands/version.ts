/** `mf version`. JSON: {"meshflow","runtime","platform"}. */
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { packageVersion } from "../package-root.ts";

export async function versionCommand(
  context: CommandContext,
  options: CommonOptions,
): Promise<number> {
  const meshflow = packageVersion();
  const platform = `${process.platform}-${process.arch}`;
  if (options.json === true) writeJson(context, { meshflow, runtime: process.version, platform });
  else context.terminal.out(`mf ${meshflow} (Node.js ${process.version}, ${platform})\n`);
  return 0;
}
