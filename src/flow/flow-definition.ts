/** What a flow object carries for those who load a flow file: its graph, and the functions and schemas the graph only names. */
import type { FlowGraph } from "../graph/flow-graph.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** Registered with Symbol.for, so that a flow file's own copy of this package is understood by another copy. */
export const FLOW: unique symbol = Symbol.for("meshflow.flow");

export interface FlowDefinition {
  readonly name: string;
  /** `file` in the details is a placeholder: whoever loaded the file knows its path.
   * @throws MfError GRAPH_INVALID with details { flow, count, problems: GraphProblem[] }
   */
  graph(options: GraphOptions): FlowGraph;
  readonly functions: ReadonlyMap<string, StepFunctions>;
  /** Parameter -> its schema. A parameter of kind `file` validates to a path. */
  readonly schemas: ReadonlyMap<string, StandardSchema>;
  /** Python step -> the schema of its result. */
  readonly outSchemas: ReadonlyMap<string, StandardSchema>;
}

export interface GraphOptions {
  /** The structured encoding (messagepack) of a flow.value(): `(value) => encodeValue(value).data`. */
  readonly encode: (value: unknown) => Uint8Array;
}

export interface StepFunctions {
  readonly fn: UserFunction;
  readonly catch?: UserFunction;
}

/** A step's own function `(inputs, ctx)`, or its catch handler `(error, inputs)`. */
export type UserFunction = (...values: unknown[]) => unknown;

/** The definition of what a flow file exports; undefined if it is no flow. */
export function definitionOf(value: unknown): FlowDefinition | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { readonly [FLOW]?: FlowDefinition })[FLOW];
}
