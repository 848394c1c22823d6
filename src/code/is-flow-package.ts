/** Whether what another peer stored as a package has the form of one: as deep as those look who explain it, not as those who run it. */
import type { FlowPackage } from "./flow-package.ts";

type Fields = Readonly<Record<string, unknown>>;

export function isFlowPackage(value: unknown): value is FlowPackage {
  if (!isFields(value) || !isFields(value["graph"]) || !isFields(value["steps"])) return false;
  const { graph, steps } = value;
  return (
    typeof graph["name"] === "string" &&
    isListOf(graph["params"], isFields) &&
    isListOf(graph["steps"], isStep) &&
    isListOf(graph["switches"], isSwitch) &&
    Object.values(steps).every(isCode)
  );
}

function isStep(step: unknown): boolean {
  if (!isFields(step) || typeof step["name"] !== "string") return false;
  const { inputs, options } = step;
  if (!isFields(inputs) || !isFields(options) || !isFields(options["cache"])) return false;
  const refs = "whole" in inputs ? [inputs["whole"]] : Object.values(fieldsOf(inputs["fields"]));
  return (
    isListOf(step["levels"], isText) &&
    isListOf(step["arms"], isFields) &&
    refs.every((ref) => isRef(ref))
  );
}

function isSwitch(value: unknown): boolean {
  return (
    isFields(value) &&
    typeof value["name"] === "string" &&
    isRef(value["on"]) &&
    isFields(value["cases"]) &&
    Object.values(value["cases"]).every((ref) => isRef(ref))
  );
}

/** Deeper than any author nests them. */
const NESTED_MAX = 16;

function isRef(ref: unknown, depth = 0): boolean {
  if (!isFields(ref) || typeof ref["k"] !== "string" || depth > NESTED_MAX) return false;
  switch (ref["k"]) {
    case "each":
    case "collect":
      return isRef(ref["of"], depth + 1);
    case "out":
      return isText(ref["step"]) && isListOf(ref["path"], isText);
    case "switch":
      return isText(ref["name"]) && isListOf(ref["path"], isText);
    case "const":
      return isText(ref["text"]);
    case "from":
      return isText(ref["pathspec"]);
    default:
      return true;
  }
}

function isCode(code: unknown): boolean {
  if (!isFields(code) || typeof code["codeId"] !== "string") return false;
  if (code["kind"] === "python")
    return (
      isText(code["entry"]) &&
      isText(code["fn"]) &&
      Object.values(fieldsOf(code["files"])).every(isText) &&
      (code["beside"] === undefined || isCode(code["beside"]))
    );
  return (
    code["kind"] === "script" &&
    isText(code["slice"]) &&
    isText(code["at"]) &&
    isListOf(code["externals"], isFields)
  );
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isListOf(value: unknown, isOne: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every((item) => isOne(item));
}
