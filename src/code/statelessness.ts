/** Whether a unit provably holds no state that one evaluation could leave to the next. In doubt: it does. */
import type { Variable } from "eslint-scope";
import { declaratorOf, type Unit } from "./module-units.ts";
import { child, children, isFunction, nameOf, walk, type SyntaxNode } from "./syntax.ts";

export function isStateless(
  units: readonly Unit[],
  changed: ReadonlySet<Variable>,
  reached: ReadonlySet<Variable>,
): boolean {
  for (const variable of reached) if (changed.has(variable)) return false;
  return units.every((unit) => unit.layer === "runtime" || holdsNothing(unit));
}

function holdsNothing(unit: Unit): boolean {
  if (unit.kind === "import") return true;
  if (unit.kind !== "declaration") return false;
  if (unit.node.type === "FunctionDeclaration") return true;
  if (unit.node.type === "ClassDeclaration") return isPlainClass(unit.node);
  const declarator = declaratorOf(unit);
  if (child(declarator, "id")?.type !== "Identifier") return false;
  const init = child(declarator, "init");
  return init !== undefined && isFixed(init);
}

function isFixed(node: SyntaxNode): boolean {
  if (isFunction(node)) return true;
  switch (node.type) {
    case "Literal":
      // A global or sticky expression keeps a position.
      return !/[gy]/.test((node["regex"] as { flags?: string } | undefined)?.flags ?? "");
    case "ClassExpression":
      return isPlainClass(node);
    case "Identifier":
      return nameOf(node) === "undefined" || nameOf(node) === "Infinity" || nameOf(node) === "NaN";
    case "UnaryExpression":
    case "BinaryExpression":
    case "LogicalExpression":
      return ["argument", "left", "right"].every(
        (key) => child(node, key) === undefined || isPrimitive(child(node, key)),
      );
    case "TemplateLiteral":
      return children(node, "expressions").every((item) => isPrimitive(item));
    case "CallExpression":
      return isFrozen(node);
    default:
      return false;
  }
}

function isPrimitive(node: SyntaxNode | undefined): boolean {
  if (
    node === undefined ||
    isFunction(node) ||
    node.type === "ClassExpression" ||
    node.type === "CallExpression"
  )
    return false;
  return isFixed(node);
}

/** `Object.freeze` of a literal whose every value is fixed. */
function isFrozen(node: SyntaxNode): boolean {
  const callee = child(node, "callee");
  if (
    nameOf(child(callee, "object")) !== "Object" ||
    nameOf(child(callee, "property")) !== "freeze"
  )
    return false;
  const [value] = children(node, "arguments");
  if (value?.type === "ArrayExpression")
    return children(value, "elements").every((item) => isFixed(item));
  if (value?.type !== "ObjectExpression") return false;
  return children(value, "properties").every(
    (item) => item.type === "Property" && isFixed(child(item, "value") ?? item),
  );
}

function isPlainClass(node: SyntaxNode): boolean {
  let plain = true;
  walk(node, (at) => {
    if (at.type === "StaticBlock" || (at.type === "PropertyDefinition" && at["static"] === true))
      plain = false;
    return plain;
  });
  return plain;
}
