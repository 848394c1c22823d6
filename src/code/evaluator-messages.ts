/** What the thread that evaluates a flow file is asked and what it answers. */
import type { FlowGraph } from "../graph/flow-graph.ts";
import type { ErrorRecord } from "../model/errors.ts";
import type { FunctionPlaceInScript } from "./function-places.ts";
import type { ParamValue } from "./param-values.ts";

export interface EvaluationRequest {
  /** The bundle as a file, its imports already pointing at files. */
  readonly bundleUrl: string;
  readonly flowFile: string;
  readonly cwd: string;
  readonly meshflowUrl: string;
  /** Module that exports `encodeValue(value): { data: Uint8Array }`. */
  readonly codecUrl: string;
  /** Undefined: parameters are not looked at. */
  readonly params?: Readonly<Record<string, string>>;
  /** Parameters that have their values already. */
  readonly settled?: readonly string[];
}

export interface StepPlaces {
  readonly fn?: FunctionPlaceInScript;
  readonly catch?: FunctionPlaceInScript;
  readonly hasCatch: boolean;
}

export type EvaluationAnswer =
  | {
      readonly kind: "done";
      readonly graph: FlowGraph;
      readonly places: Readonly<Record<string, StepPlaces>>;
      /** Python steps that have an `out` schema. */
      readonly checked: readonly string[];
      readonly params: Readonly<Record<string, ParamValue>>;
    }
  | { readonly kind: "not-a-flow" }
  /** The flow file's own code threw. */
  | { readonly kind: "threw"; readonly message: string; readonly stack: string }
  /** An operating error: graph problems, parameters. */
  | { readonly kind: "refused"; readonly error: ErrorRecord };
