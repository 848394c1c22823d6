/** The bundle cut into its smallest movable pieces: top-level statements, a declaration of several names split into one each. */
import { child, children, isFunction, nameOf, walk, type SyntaxNode } from "./syntax.ts";

export interface Unit {
  readonly index: number;
  readonly node: SyntaxNode;
  readonly start: number;
  readonly end: number;
  /** What makes a statement of a declarator that was cut out of `var a = 1, b = 2`. */
  readonly prefix: string;
  readonly kind: "import" | "export" | "declaration" | "other";
  /** The file it was written in, relative to the flow's directory; undefined for the bundler's own helpers. */
  readonly origin: string | undefined;
  readonly layer: "runtime" | "package" | "user";
  /** Evaluating it runs no code: functions, classes without statics, constants without calls, lazy module wrappers. */
  readonly isInert: boolean;
  /** It waits at module level. */
  readonly isAsync: boolean;
}

/** A path comment of the bundler: from `at` on, statements come from `file`. */
export interface OriginMark {
  readonly at: number;
  readonly file: string;
}

const WRAPPERS = new Set(["__esm", "__commonJS", "__esmMin", "__commonJSMin"]);
const ACTIONS = new Set(
  "CallExpression NewExpression TaggedTemplateExpression AwaitExpression AssignmentExpression UpdateExpression ImportExpression YieldExpression".split(
    " ",
  ),
);

export function cutUnits(body: readonly SyntaxNode[], marks: readonly OriginMark[]): Unit[] {
  const units: Unit[] = [];
  let mark = -1;
  for (const statement of body) {
    while (marks[mark + 1] !== undefined && (marks[mark + 1]?.at ?? 0) < statement.start) mark += 1;
    const origin = marks[mark]?.file;
    const declarators =
      statement.type === "VariableDeclaration" ? children(statement, "declarations") : [];
    const pieces = declarators.length > 1 ? declarators : [statement];
    for (const node of pieces) {
      units.push({
        index: units.length,
        node,
        start: node.start,
        end: node.end,
        prefix: node === statement ? "" : `${String(statement["kind"])} `,
        kind: kindOf(statement),
        origin,
        layer: layerOf(origin),
        isInert: kindOf(statement) !== "other" && isInert(node),
        isAsync: isAsync(node),
      });
    }
  }
  return units;
}

function kindOf(statement: SyntaxNode): Unit["kind"] {
  if (statement.type === "ImportDeclaration") return "import";
  if (statement.type.startsWith("Export")) return "export";
  return /^(Variable|Function|Class)Declaration$/.test(statement.type) ? "declaration" : "other";
}

function layerOf(origin: string | undefined): Unit["layer"] {
  if (origin === undefined) return "runtime";
  return /(^|\/)node_modules\//.test(origin) ? "package" : "user";
}

/** The single declarator of a declaration unit, whole or cut out. */
export function declaratorOf(unit: Unit): SyntaxNode | undefined {
  if (unit.node.type === "VariableDeclarator") return unit.node;
  return unit.node.type === "VariableDeclaration"
    ? children(unit.node, "declarations")[0]
    : undefined;
}

/** `__esm({ "lib.ts"() {…} })` and `__commonJS({…})`: nothing runs until the wrapper is called. */
export function wrapperKey(node: SyntaxNode | undefined): SyntaxNode | undefined {
  if (node?.type !== "CallExpression" || !WRAPPERS.has(nameOf(child(node, "callee")) ?? ""))
    return undefined;
  const [property] = children(children(node, "arguments")[0], "properties");
  return child(property, "key");
}

function isInert(node: SyntaxNode): boolean {
  let inert = true;
  walk(node, (at) => {
    if (!inert || isFunction(at) || wrapperKey(at) !== undefined) return false;
    if (at.type === "StaticBlock" || ACTIONS.has(at.type)) inert = false;
    if (at.type === "PropertyDefinition" && at["static"] !== true) return false;
    return inert;
  });
  return inert;
}

function isAsync(node: SyntaxNode): boolean {
  let found = false;
  walk(node, (at) => {
    if (found || isFunction(at)) return false;
    if (at.type === "AwaitExpression" || (at.type === "ForOfStatement" && at["await"] === true))
      found = true;
    return !found;
  });
  return found;
}
