/**
 * flow(): a named set of steps wired by handles. Evaluating a flow file builds a graph and runs no step; the graph is asked for
 * through the definition behind FLOW.
 */
import { buildGraph } from "../graph/build-graph.ts";
import type { ArmRef, FlowGraph } from "../graph/flow-graph.ts";
import { normalSource } from "../graph/source-spec.ts";
import { MfError } from "../model/errors.ts";
import { FLOW } from "./flow-definition.ts";
import type { FlowDefinition, GraphOptions } from "./flow-definition.ts";
import type { FileRef } from "./file-ref.ts";
import { FlowRecorder } from "./flow-recorder.ts";
import type { Handle, Ref } from "./handle.ts";
import { makePointer } from "./pointer.ts";
import type { Scope } from "./scope.ts";
import type { SchemaOutput, StandardSchema } from "./standard-schema.ts";
import { isRecord, show } from "./step-settings.ts";

/** Parameters by name: kinds of `p`, or any Standard Schema. */
export type ParamShape = Readonly<Record<string, StandardSchema>>;
/** What the steps get for them. */
export type ParamValues<P extends ParamShape> = { readonly [K in keyof P]: SchemaOutput<P[K]> };

export interface Flow<P extends ParamShape> extends Scope<""> {
  readonly name: string;
  /** A handle of all parameters, and of each by name. A step's identity holds those it reads. */
  readonly params: Handle<ParamValues<P>>;
  /** A constant as an input, for values of the flow file that are not part of a step's code. */
  value<const T>(value: T): Ref<T>;
  /**
   * Files outside as an input, stored when a run begins: steps that read them run again exactly when their content changed.
   * `file:data/iris.csv` is one file; `file:images/` is the list of all files in a directory, `file:runs/*.csv` those that match
   * (`*`, `**`, `?`, `{a,b}`), each named by its path in it, in the order of names. Relative to the flow file.
   * @example f.step('load', { csv: f.source('file:data/iris.csv') }, async ({ csv }) => ({ text: await csv.text() }))
   */
  source<const S extends SourceText>(source: S): Ref<SourceOf<S>>;
  readonly [FLOW]: FlowDefinition;
}

/** How a source is named. */
type SourceText = `file:${string}`;

/** One file, or a list of files where the name ends with a slash or has a glob in it. */
type SourceOf<S extends SourceText> = S extends `file:${infer Path}`
  ? string extends Path
    ? FileRef | FileRef[]
    : Path extends `${string}/` | `${string}${"*" | "?" | "{"}${string}`
      ? FileRef[]
      : FileRef
  : never;

export interface FlowSettings {
  /** One line about the flow, for lists and diagrams. */
  readonly doc?: string;
  /** The project its runs belong to; `--project` and MF_PROJECT say another. */
  readonly project?: string;
}

// oxlint-disable-next-line typescript/no-generated-empty-object-type -- the object without parameters
type NoParams = Readonly<Record<never, never>>;

/**
 * Declares a flow. Export it as the default of its file.
 * @example const hello = flow('hello', { name: p.string('world') }); export default hello;
 */
export function flow<P extends ParamShape = NoParams>(
  name: string,
  params?: P,
  settings: FlowSettings = {},
): Flow<P> {
  const recorder = new FlowRecorder();
  for (const [key, schema] of Object.entries(params ?? {})) recorder.param(key, schema);
  const definition: FlowDefinition = {
    name,
    graph: (options) => graphOf(recorder, { name, ...settings }, options),
    functions: recorder.functions,
    schemas: recorder.schemas,
    outSchemas: recorder.outSchemas,
  };
  const made = {
    ...makeScope(recorder, undefined),
    name,
    params: makePointer({ ref: { k: "param", name: "*" }, owner: recorder }),
    value: (value: unknown) => makePointer({ ref: { k: "const", value }, owner: recorder }),
    source: (text: unknown) =>
      makePointer({
        ref: { k: "source", spec: typeof text === "string" ? normalSource(text) : show(text) },
        owner: recorder,
      }),
    [FLOW]: definition,
  };
  // The recorder is untyped on purpose: the compiler has checked the calls, and plain JavaScript is checked by buildGraph.
  return made as unknown as Flow<P>;
}

function makeScope(recorder: FlowRecorder, within: ArmRef | undefined): object {
  return {
    step(name: string, inputs: unknown, ...rest: readonly unknown[]): unknown {
      const [settings, fn] = rest.length < 2 ? [undefined, rest[0]] : rest;
      return recorder.step({ kind: "step", name, inputs, settings, within }, fn);
    },
    python(name: string, inputs: unknown, settings: unknown): unknown {
      return recorder.python({ kind: "python", name, inputs, settings, within });
    },
    switch(name: string, on: unknown, arms: unknown): unknown {
      const declared = new Map<string, () => unknown>();
      if (!isRecord(arms)) recorder.reportArms(name, arms);
      for (const [key, arm] of Object.entries(isRecord(arms) ? arms : {})) {
        const scope = makeScope(recorder, { switch: name, case: key });
        declared.set(key, () =>
          typeof arm === "function" ? (arm as (scope: object) => unknown)(scope) : arm,
        );
      }
      return recorder.switch({ name, on, within }, declared);
    },
  };
}

function graphOf(
  recorder: FlowRecorder,
  about: { readonly name: string } & FlowSettings,
  options: GraphOptions,
): FlowGraph {
  const { problems, ...declared } = recorder.declared(options.encode);
  const built = buildGraph({ ...about, ...declared });
  const all = [...problems, ...built.problems];
  if (all.length > 0) {
    throw new MfError("GRAPH_INVALID", {
      flow: about.name,
      file: "FLOW.ts",
      count: all.length,
      problems: all,
    });
  }
  return built.graph;
}
