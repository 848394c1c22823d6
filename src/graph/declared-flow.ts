/** A flow as it was declared, before scopes are worked out: what the authoring module hands to buildGraph. */
import type { StepOptions } from "../model/step-options.ts";
import type {
  ArmRef,
  InputDeclaration,
  ParamDeclaration,
  PythonDeclaration,
  ValueRef,
} from "./flow-graph.ts";

export interface DeclaredFlow {
  readonly name: string;
  readonly doc?: string;
  readonly project?: string;
  readonly params: readonly ParamDeclaration[];
  /** In order of declaration; a switch comes before the steps of its arms. */
  readonly items: readonly DeclaredItem[];
}

export type DeclaredItem = DeclaredStep | DeclaredSwitch;

export interface DeclaredStep {
  readonly kind: "step" | "python";
  readonly name: string;
  readonly inputs: InputDeclaration;
  readonly options: StepOptions;
  /** The arm on whose scope it was declared. */
  readonly within?: ArmRef;
  readonly python?: PythonDeclaration;
}

export interface DeclaredSwitch {
  readonly kind: "switch";
  readonly name: string;
  /** Undefined where what it was given is no handle (already reported). */
  readonly on?: ValueRef;
  readonly within?: ArmRef;
  /** Undefined where the arm returned no handle (already reported). */
  readonly cases: Readonly<Record<string, ValueRef | undefined>>;
}
