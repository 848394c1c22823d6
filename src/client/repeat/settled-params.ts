/** Parameters of a run, kept for another one: by value, as they are stored, so that a file is its content and not its path. */
import { decodeValue } from "../../artifact/codec.ts";
import { fileInfoOf } from "../../artifact/file-brand.ts";
import type { ParamValue } from "../../engine/run-api.ts";
import type { FlowGraph, ParamDeclaration } from "../../graph/flow-graph.ts";
import { MfError } from "../../model/errors.ts";
import { runText, type Cid } from "../../model/ids.ts";
import type { Records } from "../records.ts";
import { requireReachable, type NeededContent, type Origin } from "./origin.ts";

/** Those that the new run is not given anew, with the contents of files. @throws MfError RUN_INCOMPLETE */
export async function storedParams(
  records: Records,
  { started, summary }: Pick<Origin, "started" | "summary">,
  names: readonly string[],
): Promise<Record<string, ParamValue>> {
  const ids = names.flatMap((name): [string, Cid][] => {
    const id = started.params[name];
    return id === undefined ? [] : [[name, id]];
  });
  const run = runText(summary.run);
  const needed = ids.map(([name, id]) => ({ what: `the value of parameter ${name}`, id }));
  await requireReachable(records, run, needed);
  const params: [string, ParamValue][] = [];
  for (const [name, id] of ids) {
    const data = await records.read(id);
    params.push([name, { id, data, text: started.paramTexts[name] ?? "" }]);
  }
  const files = params.flatMap(([name, { data }]) => fileOf(name, data));
  await requireReachable(records, run, files);
  return Object.fromEntries(params);
}

function fileOf(param: string, data: Uint8Array): NeededContent[] {
  const value = decodeValue(data);
  const file = typeof value === "object" && value !== null ? fileInfoOf(value) : undefined;
  if (file === undefined) return [];
  return [{ what: `the file of parameter ${param} (${file.name})`, id: file.id as Cid }];
}

export interface SettledParams {
  /** Parameters that have the origin's value; the rest needs a text, or has a default. */
  readonly kept: readonly string[];
  /** Parameters that the flow has no more, where the origin had their default: nobody chose it. */
  readonly dropped: readonly string[];
}

/**
 * Today's flow may have other parameters than the run had. A value that somebody chose is never dropped in silence, and one of
 * another kind never taken. @throws MfError PARAM_UNKNOWN, PARAM_INVALID
 */
export function settleParams(
  origin: Pick<Origin, "summary" | "started" | "flowPackage">,
  graph: FlowGraph,
  given: Readonly<Record<string, string>>,
): SettledParams {
  const before = origin.flowPackage.graph;
  const dropped: string[] = [];
  const kept: string[] = [];
  for (const name of Object.keys(origin.started.params)) {
    if (Object.hasOwn(given, name)) continue;
    const now = graph.params.find((item) => item.name === name);
    const then = before.params.find((item) => item.name === name);
    const text = origin.started.paramTexts[name] ?? "";
    if (now === undefined) {
      if (then?.defaultText !== text) throw gone(origin, { name, text, graph });
      dropped.push(name);
      continue;
    }
    const reason = misfit(then, now, text);
    if (reason !== undefined)
      throw new MfError("PARAM_INVALID", { flow: graph.name, param: name, reason, value: text });
    kept.push(name);
  }
  return { kept, dropped };
}

function misfit(
  then: ParamDeclaration | undefined,
  now: ParamDeclaration,
  text: string,
): string | undefined {
  if (then !== undefined && then.kind !== now.kind)
    return `it was a ${then.kind} in that run and is a ${now.kind} today`;
  if (now.choices !== undefined && !now.choices.includes(text))
    return `today's choices are ${now.choices.join(", ")}`;
  return undefined;
}

function gone(
  { summary }: Pick<Origin, "summary">,
  {
    name,
    text,
    graph,
  }: { readonly name: string; readonly text: string; readonly graph: FlowGraph },
): MfError {
  const names = graph.params.map((param) => param.name).join(", ");
  const has = names === "" ? "Today's flow has no parameters" : `Today's flow has: ${names}`;
  const run = runText(summary.run);
  return new MfError("PARAM_UNKNOWN", {
    flow: graph.name,
    param: name,
    hint: `${run} was given ${name}=${text}. ${has}. Give it that parameter back, or resume with the stored code: mf resume ${run}.`,
  });
}
