/** A step's function in the bundle: found by its exact place, checked for what it captures, written as an expression. */
import { MfError } from "../model/errors.ts";
import type { Variable } from "eslint-scope";
import { startOf, type FlowModule, type FunctionPlace } from "./flow-module.ts";
import { declaratorOf } from "./module-units.ts";
import type { ScriptWriter } from "./script-writer.ts";
import { child, children, isFunction, nameOf, walk, type SyntaxNode } from "./syntax.ts";

export interface StepFunctionCode {
  readonly step: string;
  readonly node: SyntaxNode;
  /** Module-level names from which the reach of the function starts. */
  readonly variables: readonly Variable[];
  /** `flow.ts:12`. */
  readonly at: string;
  writeExpression(script: ScriptWriter): void;
}

/** `offset` is where the engine says the function begins: somewhere between its first token and its body. */
export function stepFunctionAt(module: FlowModule, step: string, offset: number): StepFunctionCode {
  const place = functionAt(module, offset);
  if (place === undefined)
    throw new MfError("STEP_FUNCTION_FOREIGN", {
      step,
      what: "a function that is not in the flow's files",
    });
  const at = placeText(module, place.node.start);
  const named = moduleNameOf(module, place);
  if (named !== undefined) {
    return {
      step,
      at,
      node: place.node,
      variables: [named.variable],
      writeExpression: (script) => script.write(named.text),
    };
  }
  refuseCaptures(module, step, place);
  const isMethod = isMethodPlace(place);
  const outer = isMethod && place.parent !== undefined ? place.parent : place.node;
  if (isMethod && usesPrivateName(outer))
    throw new MfError("STEP_FUNCTION_FOREIGN", {
      step,
      what: "a method that uses private members",
    });
  return {
    step,
    at,
    node: place.node,
    variables: namesWithin(module, outer),
    writeExpression(script) {
      const start =
        outer["static"] === true
          ? outer.start + module.bundle.text.slice(outer.start).search(/(?<=^static\s+)\S/)
          : outer.start;
      script
        .write(isMethod ? "Object.values({ " : "(")
        .copy(start, outer.end)
        .write(isMethod ? " })[0]" : ")");
    },
  };
}

/** The value of a property in the options of the call that declares a Python step: an expression that is evaluated where the step runs. */
export function pythonOptionCode(
  module: FlowModule,
  step: string,
  option: string,
): StepFunctionCode {
  const [declared, ...others] = pythonCalls(module, step);
  const settings = declared?.[2];
  if (settings === undefined || others.length > 0)
    throw new MfError("STEP_FUNCTION_FOREIGN", {
      step,
      what: `the option \`${option}\` at a place that cannot be told (write flow.python("${step}", …, { ${option}: … }))`,
    });
  const own = children(settings, "properties").find(
    (item) => item["computed"] !== true && nameOf(child(item, "key")) === option,
  );
  // A method's value begins behind its name: it is not an expression by itself.
  const node = (own?.["method"] === true ? undefined : child(own, "value")) ?? settings;
  const tail = node === settings ? `).${option}` : ")";
  refuseCaptures(module, step, { node, parent: own });
  return {
    step,
    node,
    at: placeText(module, node.start),
    variables: namesWithin(module, node),
    writeExpression: (script) => script.write("(").copy(node.start, node.end).write(tail),
  };
}

/** Arguments of the calls that can have declared the step: those that name it, else those whose name is computed. */
function pythonCalls(module: FlowModule, step: string): (readonly SyntaxNode[])[] {
  const named: (readonly SyntaxNode[])[] = [];
  const computed: (readonly SyntaxNode[])[] = [];
  for (const unit of module.units) {
    if (unit.layer !== "user") continue;
    walk(unit.node, (node) => {
      if (node.type !== "CallExpression") return;
      const callee = child(node, "callee");
      const values = children(node, "arguments");
      const [name] = values;
      if (nameOf(child(callee, "property")) !== "python" || values.length < 3) return;
      if (name?.type !== "Literal") computed.push(values);
      else if (name["value"] === step) named.push(values);
    });
  }
  return named.length > 0 ? named : computed;
}

export function placeText(module: FlowModule, offset: number): string {
  const place = module.placeOf(offset);
  return place === undefined ? "" : `${place.file}:${place.line}`;
}

function functionAt(module: FlowModule, offset: number): FunctionPlace | undefined {
  let best: FunctionPlace | undefined;
  for (const place of module.functions) {
    const body = child(place.node, "body");
    if (place.node.start > offset || body === undefined || offset > body.start) continue;
    if (best === undefined || place.node.start > best.node.start) best = place;
  }
  return best;
}

/** Where a function can be named at module level, its name is its expression: it may call itself or carry properties. */
function moduleNameOf(
  module: FlowModule,
  place: FunctionPlace,
): { text: string; variable: Variable } | undefined {
  const unit = module.unitAt(place.node.start);
  if (unit === undefined || unit.kind !== "declaration") return undefined;
  const declarator = declaratorOf(unit);
  const holder = child(declarator, "init") ?? unit.node;
  const id = child(declarator ?? unit.node, "id");
  const variable = module.moduleScope.set.get(nameOf(id) ?? "");
  if (variable === undefined || id?.type !== "Identifier") return undefined;
  if (holder === place.node) return { text: variable.name, variable };
  if (holder.type !== "ClassDeclaration" && holder.type !== "ClassExpression") return undefined;
  const member = place.parent;
  const isMember = member !== undefined && children(child(holder, "body"), "body").includes(member);
  const key = child(member, "key");
  if (
    !isMember ||
    member["static"] !== true ||
    member["computed"] === true ||
    key?.type !== "Identifier"
  )
    return undefined;
  return { text: `${variable.name}.${nameOf(key) ?? ""}`, variable };
}

function isMethodPlace({ parent }: FunctionPlace): boolean {
  return (
    parent?.type === "MethodDefinition" ||
    (parent?.type === "Property" && parent["method"] === true)
  );
}

function usesPrivateName(node: SyntaxNode): boolean {
  let found = false;
  walk(node, (at) => {
    if (at.type === "PrivateIdentifier") found = true;
    return !found;
  });
  return found;
}

function namesWithin(module: FlowModule, node: SyntaxNode): Variable[] {
  const found = new Set<Variable>();
  walk(node, (at) => {
    const variable = at.type === "Identifier" ? module.names.get(at.start) : undefined;
    if (variable !== undefined) found.add(variable);
    return true;
  });
  return [...found];
}

/** A variable of an enclosing function has no place in code that travels without that function. */
function refuseCaptures(module: FlowModule, step: string, { node, parent }: FunctionPlace): void {
  const captured = new Map<string, number>();
  for (const scope of module.scopes) {
    for (const reference of scope.references) {
      const start = startOf(reference.identifier);
      if (start < node.start || start >= node.end || reference.resolved === null) continue;
      const home = reference.resolved.scope;
      if (home === module.moduleScope || home.type === "global") continue;
      const block = home.block as unknown as SyntaxNode;
      if (block.start >= node.start && block.end <= node.end) continue;
      captured.set(reference.resolved.name, start);
    }
  }
  const self = node.type === "ArrowFunctionExpression" ? enclosingThis(module, node) : undefined;
  if (self !== undefined) captured.set("this", self);
  const [first] = captured;
  if (first === undefined) return;
  const at = placeText(module, first[1]);
  throw new MfError("STEP_CAPTURES", {
    step,
    names: [...captured.keys()].join(", "),
    name: first[0],
    at,
    parent: parent?.type,
  });
}

/** `this` of an arrow function means that of the function around it; at module level it is undefined and harmless. */
function enclosingThis(module: FlowModule, node: SyntaxNode): number | undefined {
  const around = module.functions.some(
    (place) =>
      place.node.type !== "ArrowFunctionExpression" &&
      place.node.start < node.start &&
      place.node.end >= node.end,
  );
  if (!around) return undefined;
  let found: number | undefined;
  walk(node, (at) => {
    if (at.type === "ThisExpression" || at.type === "Super") found ??= at.start;
    return at === node || !isFunction(at) || at.type === "ArrowFunctionExpression";
  });
  return found;
}
