/** Checks of names and of the flow as a whole; what concerns scopes is checked where scopes are worked out (build-graph.ts). */
import type { DeclaredFlow, DeclaredItem, DeclaredStep } from "./declared-flow.ts";
import type { GraphProblem } from "./graph-problem.ts";
import { WHOLE_INPUT, inputRefs } from "./queries.ts";

/** Names are parts of pathspecs, file names and command lines. */
const NAME = /^[a-zA-Z][\w-]*$/;
/** Input names become properties in TypeScript and arguments in Python. */
const INPUT_NAME = /^[a-zA-Z_$][\w$]*$/;
const NAME_REMEDY = "Use letters, digits, _ and -, beginning with a letter.";

export function checkFlow(flow: DeclaredFlow, problems: GraphProblem[]): void {
  if (!NAME.test(flow.name)) {
    problems.push({
      code: "FLOW_NAME_INVALID",
      message: `"${flow.name}" cannot be the name of a flow.`,
      remedy: NAME_REMEDY,
    });
  }
  for (const param of flow.params) {
    if (NAME.test(param.name)) continue;
    problems.push({
      code: "PARAM_NAME_INVALID",
      message: `"${param.name}" cannot be the name of a parameter.`,
      remedy: NAME_REMEDY,
    });
  }
  if (!flow.items.some((item) => item.kind !== "switch")) {
    problems.push({
      code: "FLOW_EMPTY",
      message: `Flow "${flow.name}" has no steps.`,
      remedy: "Add one: yourFlow.step('first', {}, () => ({ answer: 42 })).",
    });
  }
  checkNames(flow.items, problems);
  for (const item of flow.items) {
    if (item.kind === "switch") continue;
    checkInputNames(item, problems);
    if (item.kind === "python") checkPython(item, problems);
  }
}

function checkNames(items: readonly DeclaredItem[], problems: GraphProblem[]): void {
  const counts = new Map<string, number>();
  for (const { name } of items) {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (count === 2) {
      problems.push({
        code: "STEP_NAME_DUPLICATE",
        step: name,
        message: `Two steps (or switches) are named "${name}".`,
        remedy: "Names are identities: rename one of them.",
      });
    }
    if (count === 1 && !NAME.test(name)) {
      problems.push({
        code: "STEP_NAME_INVALID",
        step: name,
        message: `"${name}" cannot be the name of a step.`,
        remedy: NAME_REMEDY,
      });
    }
  }
}

function checkInputNames(step: DeclaredStep, problems: GraphProblem[]): void {
  if ("whole" in step.inputs) return;
  for (const { name } of inputRefs(step)) {
    if (name !== WHOLE_INPUT && INPUT_NAME.test(name)) continue;
    problems.push({
      code: "INPUT_NAME_INVALID",
      step: step.name,
      message: `"${name}" cannot be the name of an input of step "${step.name}".`,
      remedy: "Use a name that can be a variable.",
    });
  }
}

function checkPython(step: DeclaredStep, problems: GraphProblem[]): void {
  const missing = (["file", "fn"] as const).filter((name) => (step.python?.[name] ?? "") === "");
  if (missing.length === 0) return;
  problems.push({
    code: "PYTHON_OPTION_MISSING",
    step: step.name,
    message: `Python step "${step.name}" does not say ${missing.map((name) => `\`${name}\``).join(" and ")}.`,
    remedy:
      "Name the file (relative to the flow file) and the function in it: { file: 'fit.py', fn: 'fit' }.",
  });
}
