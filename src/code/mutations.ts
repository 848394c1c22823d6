/** Which names a piece of code may change in place: what has to travel with the names. Errs towards more. */
import { child, children, nameOf, rootOf, walk, type SyntaxNode } from "./syntax.ts";

export interface Mutations {
  /** Start offsets of identifiers that are surely the target of a change: `x.y = 1`, `x.push(1)`, `delete x.y`, `Object.assign(x, y)`. */
  readonly certain: readonly number[];
  /** Start offsets of identifiers handed to code that may change them: `register(x)`, `x.extend(y)`. */
  readonly possible: readonly number[];
}

const CHANGING_METHODS = new Set(
  "push pop shift unshift splice sort reverse fill copyWithin set add delete clear append register use extend".split(
    " ",
  ),
);
const CHANGING_FUNCTIONS = new Set(
  "assign defineProperty defineProperties setPrototypeOf freeze seal set deleteProperty".split(" "),
);

export function mutationsOf(node: SyntaxNode): Mutations {
  const certain: number[] = [];
  const possible: number[] = [];
  const note = (list: number[], target: SyntaxNode | undefined): void => {
    const root = rootOf(target);
    if (root !== undefined) list.push(root.start);
  };
  walk(node, (at) => {
    if (
      at.type === "AssignmentExpression" ||
      at.type === "ForOfStatement" ||
      at.type === "ForInStatement"
    )
      noteTargets(child(at, "left"), certain);
    else if (at.type === "UpdateExpression") noteTargets(child(at, "argument"), certain);
    else if (at.type === "UnaryExpression" && at["operator"] === "delete")
      note(certain, child(at, "argument"));
    else if (at.type === "CallExpression" || at.type === "NewExpression") {
      const callee = child(at, "callee");
      const method =
        callee?.type === "MemberExpression" ? nameOf(child(callee, "property")) : undefined;
      const owner = child(callee, "object");
      const first = children(at, "arguments")[0];
      if (method !== undefined && CHANGING_METHODS.has(method)) note(certain, owner);
      if (
        method !== undefined &&
        CHANGING_FUNCTIONS.has(method) &&
        ["Object", "Reflect"].includes(nameOf(owner) ?? "")
      )
        note(certain, first);
      if (owner !== undefined) note(possible, owner);
      for (const argument of children(at, "arguments")) note(possible, argument);
    }
    return true;
  });
  return { certain, possible };
}

/** Members among the targets of an assignment, also inside patterns; plain names are the scope analysis's business. */
function noteTargets(target: SyntaxNode | undefined, certain: number[]): void {
  if (target === undefined) return;
  walk(target, (at) => {
    if (at.type !== "MemberExpression") return true;
    const root = rootOf(at);
    if (root !== undefined) certain.push(root.start);
    return false;
  });
}
