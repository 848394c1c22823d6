/** Syntax trees as this folder reads them: one loose node shape and a walk, so that new syntax needs no new case. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export function isNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === "object" && value !== null && typeof (value as SyntaxNode).type === "string"
  );
}

/** The child under `key`, if it is a node. */
export function child(node: SyntaxNode | undefined, key: string): SyntaxNode | undefined {
  const value = node?.[key];
  return isNode(value) ? value : undefined;
}

export function children(node: SyntaxNode | undefined, key: string): readonly SyntaxNode[] {
  const value = node?.[key];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

export function nameOf(node: SyntaxNode | undefined): string | undefined {
  if (node?.type === "Identifier" && typeof node["name"] === "string") return node["name"];
  if (node?.type === "Literal" && typeof node["value"] === "string") return node["value"];
  return undefined;
}

export function isFunction(node: SyntaxNode): boolean {
  return (
    node.type === "ArrowFunctionExpression" ||
    node.type === "FunctionExpression" ||
    node.type === "FunctionDeclaration"
  );
}

/** Calls `visit` for every node, parents first; a visit that returns false is not entered. */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => boolean | void,
  parent?: SyntaxNode,
): void {
  if (visit(node, parent) === false) return;
  for (const key in node) {
    const value = node[key];
    if (typeof value !== "object" || value === null) continue;
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) walk(item, visit, node);
    } else if (isNode(value)) walk(value, visit, node);
  }
}

/** `a` of `a`, `a.b.c`, `a?.b`, `a[0].c`: where a change to the expression is a change to a named thing. */
export function rootOf(node: SyntaxNode | undefined): SyntaxNode | undefined {
  let at = node;
  while (at !== undefined) {
    if (at.type === "Identifier") return at;
    if (at.type === "MemberExpression") at = child(at, "object");
    else if (at.type === "ChainExpression") at = child(at, "expression");
    else if (at.type === "SpreadElement") at = child(at, "argument");
    else return undefined;
  }
  return undefined;
}
