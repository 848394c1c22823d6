/**
 * `mf check`: types, graph, captured variables and whether the sources are there; notes of steps that cannot be repeated, which are no failure.
 * JSON: {"flow","file","steps","bundleId","notes":[{"step","at","what","kind"}]}.
 */
import { chanceNotes, type ChanceNote } from "../../src/code/chance-notes.ts";
import { findSources } from "../../src/source/pin-sources.ts";
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
  await findSources(graph, loaded.package.file);
  const notes = chanceNotes(loaded.package);
  if (options.json === true) {
    writeJson(context, {
      flow: graph.name,
      file: loaded.package.file,
      steps: graph.steps.map((step) => step.name),
      bundleId,
      notes,
    });
  } else {
    context.terminal.out(
      `${file}: flow "${graph.name}" is valid: ${countText(graph.steps.length, "step")}, ${countText(graph.params.length, "parameter")}\n`,
    );
  }
  if (options.json !== true) for (const note of notes) context.terminal.err(`${noteText(note)}\n`);
  return 0;
}

const INSTEAD: Readonly<Record<ChanceNote["kind"], string>> = {
  chance: "draw with ctx.random() or a generator seeded with ctx.seed",
  clock: "if the result depends on it, pass the date as a parameter",
};

function noteText({ step, at, what, kind }: ChanceNote): string {
  return `note: ${at}: step "${step}" uses ${what} and cannot be repeated; ${INSTEAD[kind]}`;
}
