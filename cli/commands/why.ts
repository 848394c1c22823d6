/** `mf why`: the chain of a value back to parameters, sources and code. JSON: an Origin (src/client/explain/origin.ts). */
import { originMermaid } from "../../src/client/explain/origin-mermaid.ts";
import { originLines } from "../../src/client/explain/origin-tree.ts";
import { traceOrigin } from "../../src/client/explain/why.ts";
import { Records } from "../../src/client/records.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { warnUnanswered, withReadSide } from "../compose.ts";
import { createPaint } from "../output/paint.ts";

export interface WhyOptions extends CommonOptions {
  readonly graph?: boolean;
  readonly depth?: number;
}

/** A tree tells the first elements of a collect(); following more would only cost time. */
const TREE_ELEMENTS_MAX = 3;

export async function whyCommand(
  context: CommandContext,
  pathspec: string,
  options: WhyOptions,
): Promise<number> {
  const { depth, json, graph } = options;
  const isTree = json !== true && graph !== true;
  const origin = await withReadSide(context, async (readSide, daemon) => {
    const found = await traceOrigin(new Records(readSide), pathspec, {
      ...(depth === undefined ? {} : { depthMax: depth }),
      ...(isTree ? { elementsMax: TREE_ELEMENTS_MAX } : {}),
    });
    await warnUnanswered(context, daemon);
    return found;
  });
  const { terminal, clock } = context;
  if (json === true) writeJson(context, origin);
  else if (graph === true) terminal.out(originMermaid(origin));
  else {
    const { bold, dim } = createPaint(terminal.colourOut);
    terminal.out(`${originLines(origin, { now: clock.now(), bold, dim }).join("\n")}\n`);
  }
  return 0;
}
