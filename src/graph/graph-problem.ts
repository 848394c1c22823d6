/** One thing that is wrong with a graph. A flow is refused with all of its problems at once. */
export interface GraphProblem {
  readonly code: GraphProblemCode;
  /** What, with which value. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
  /** The step (or switch) where it is, if it is in one. */
  readonly step?: string;
}

export type GraphProblemCode =
  | "FLOW_NAME_INVALID"
  | "FLOW_EMPTY"
  | "PARAM_NAME_INVALID"
  | "PARAM_SCHEMA_INVALID"
  | "PARAM_UNKNOWN"
  | "STEP_NAME_INVALID"
  | "STEP_NAME_DUPLICATE"
  | "STEP_FUNCTION_MISSING"
  | "OPTION_INVALID"
  | "PYTHON_OPTION_MISSING"
  | "INPUT_NAME_INVALID"
  | "INPUT_NOT_HANDLE"
  | "INPUT_FOREIGN"
  | "INPUT_UNKNOWN"
  | "FROM_INVALID"
  | "SOURCE_INVALID"
  | "VALUE_UNSTORABLE"
  | "EACH_NOT_LIST"
  | "EACH_MISPLACED"
  | "COLLECT_OUTSIDE_FOREACH"
  | "COLLECT_IN_ARM"
  | "FOREACH_MIXED"
  | "ARMS_MIXED"
  | "SWITCH_EMPTY"
  | "SWITCH_CASE_MISSING"
  | "SWITCH_CASE_UNKNOWN"
  | "ARM_RESULT_MISSING"
  | "ARM_RESULT_INSIDE_FOREACH"
  | "ARM_RESULT_ELSEWHERE";
