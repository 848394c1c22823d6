/**
 * The graph of a flow as plain data: what the authoring module builds, what the engine runs, what travels and is drawn.
 * A *level* is one foreach: the step that has an each() among its inputs opens the level of its own name.
 */
import type { StepOptions } from "../model/step-options.ts";

export interface FlowGraph {
  readonly name: string;
  readonly doc?: string;
  /** The project its runs belong to where nobody says another. */
  readonly project?: string;
  readonly params: readonly ParamDeclaration[];
  /** In order of declaration, which is a topological order. */
  readonly steps: readonly StepDeclaration[];
  readonly switches: readonly SwitchDeclaration[];
}

export interface ParamDeclaration {
  readonly name: string;
  /** string, number, flag, one-of, file, json (any other Standard Schema). */
  readonly kind: string;
  readonly help?: string;
  /** Absent: the parameter is required. Present: its default, as text for people. */
  readonly defaultText?: string;
  readonly choices?: readonly string[];
}

export interface StepDeclaration {
  readonly kind: "step" | "python";
  readonly name: string;
  readonly inputs: InputDeclaration;
  readonly options: StepOptions;
  /** Foreach levels this step's tasks stand in, outermost first (the last is its own name if it has an each()). */
  readonly levels: readonly string[];
  /** Arms this step stands in, outermost first. Its tasks are skipped where the switch chose another arm. */
  readonly arms: readonly ArmRef[];
  readonly python?: PythonDeclaration;
}

export interface PythonDeclaration {
  /** Relative to the flow file. */
  readonly file: string;
  readonly fn: string;
  readonly requires: readonly string[];
}

export interface ArmRef {
  readonly switch: string;
  readonly case: string;
}

export interface SwitchDeclaration {
  readonly name: string;
  readonly on: ValueRef;
  readonly levels: readonly string[];
  readonly arms: readonly ArmRef[];
  /** case -> the value which that arm results in. Key `else` is the arm for every other value. */
  readonly cases: Readonly<Record<string, ValueRef>>;
}

export type InputDeclaration =
  | { readonly whole: ValueRef }
  | { readonly fields: Readonly<Record<string, ValueRef>> };

/** A typed handle, as data. */
export type ValueRef =
  /** One parameter; name "*" is the object of all of them. */
  | { readonly k: "param"; readonly name: string }
  /** path[0] is the artifact (output property), the rest leads inside it; an empty path is the whole output object. */
  | { readonly k: "out"; readonly step: string; readonly path: readonly string[] }
  | { readonly k: "switch"; readonly name: string; readonly path: readonly string[] }
  | { readonly k: "each"; readonly of: ValueRef }
  | { readonly k: "collect"; readonly of: ValueRef }
  /** flow.value(v): the structured encoding of v (messagepack, see src/artifact), base64. */
  | { readonly k: "const"; readonly data: string; readonly text: string }
  /** A version of another run: pathspec text, resolved to content when a run begins. */
  | { readonly k: "from"; readonly pathspec: string }
  /** Files outside, stored when a run begins: `file:data/iris.csv`, a directory or a glob (see source-spec.ts). */
  | { readonly k: "source"; readonly spec: string };
