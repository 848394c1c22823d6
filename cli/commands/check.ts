/** `mf check`: types, graph and captured variables. JSON: {"flow","file","steps","bundleId"}. */
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { loadFlowSource } from "../flow-source.ts";
import { countText } from "../output/format.ts";

export async function checkCommand(
  context: CommandContext,
  file: string,
  options: CommonOptions,
): Promise<number> {
  const loaded = await loadFlowSource(context, file, {
    params: {},
    validateParams: false,
    checkTypes: true,
  });
  const { graph, bundleId } = loaded.package;
  if (options.json === true) {
    writeJson(context, {
      flow: graph.name,
      file: loaded.package.file,
      steps: graph.steps.map((step) => step.name),
      bundleId,
    });
  } else {
    context.terminal.out(
      `${file}: flow "${graph.name}" is valid: ${countText(graph.steps.length, "step")}, ${countText(graph.params.length, "parameter")}\n`,
    );
  }
  return 0;
}
