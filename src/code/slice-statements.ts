/**
 * What a step's slice is made of, as its author would say it: the constants, functions and bare statements it reaches and its own
 * function, each with its place in the user's files. For explaining what differs between two versions of a step.
 */
import { parse } from "acorn";
import type { ScriptCode } from "./flow-package.ts";
import { SourceMap, type SourcePlace } from "./source-map.ts";
import { child, children, isFunction, nameOf, rootOf, walk, type SyntaxNode } from "./syntax.ts";
import { LineIndex } from "./text-edits.ts";

export type StatementKind =
  /** The step's own function, its handler, its schema. */
  | "body"
  | "catch"
  | "out"
  | "constant"
  | "variable"
  | "function"
  | "class"
  | "import"
  /** Of no name: run for its effect. */
  | "statement";

export interface SliceStatement {
  readonly kind: StatementKind;
  /** Of a declaration; otherwise "". */
  readonly name: string;
  /** As the bundler writes it: without types and comments. */
  readonly text: string;
  /** Of a constant or variable: what it is set to. */
  readonly value?: string;
  /** Equal for two statements that differ in comments and layout only: to be compared, not read. */
  readonly meaning: string;
  readonly place?: SourcePlace;
  /** Place of each line of `text`, where it was written by the user. */
  readonly lines: readonly (SourcePlace | undefined)[];
}

const PARTS: Readonly<Record<string, StatementKind>> = { fn: "body", catch: "catch", out: "out" };

/** Undefined where the text is not a slice as this version cuts them. */
export function sliceStatements(code: ScriptCode): readonly SliceStatement[] | undefined {
  let ast: SyntaxNode;
  try {
    ast = parse(code.slice, { ecmaVersion: "latest" }) as unknown as SyntaxNode;
  } catch {
    return undefined;
  }
  const [statement] = children(ast, "body");
  const body = child(child(statement, "expression"), "body");
  if (body?.type !== "BlockStatement") return undefined;
  const reader = new SliceReader(code, assignedNames(body));
  return children(body, "body").flatMap((item) => reader.statements(item));
}

class SliceReader {
  readonly #text: string;
  readonly #map: SourceMap | undefined;
  readonly #lines: LineIndex;
  readonly #assigned: ReadonlySet<string>;

  constructor({ slice, sourceMap }: ScriptCode, assigned: ReadonlySet<string>) {
    this.#text = slice;
    this.#map = readMap(sourceMap);
    this.#lines = new LineIndex(slice);
    this.#assigned = assigned;
  }

  statements(node: SyntaxNode): SliceStatement[] {
    if (node.type === "ReturnStatement") {
      return children(child(node, "argument"), "properties").flatMap((property) => {
        const kind = PARTS[nameOf(child(property, "key")) ?? ""];
        const value = child(property, "value");
        return kind === undefined || value === undefined ? [] : [this.#made(kind, "", value)];
      });
    }
    if (node.type === "FunctionDeclaration" || node.type === "ClassDeclaration") {
      const kind = node.type === "ClassDeclaration" ? "class" : "function";
      return [this.#made(kind, nameOf(child(node, "id")) ?? "", node)];
    }
    if (node.type === "VariableDeclaration") return this.#declarations(node);
    // `"use strict"` is the writer's, not the user's.
    return node["directive"] === undefined ? [this.#made("statement", "", node)] : [];
  }

  #declarations(node: SyntaxNode): SliceStatement[] {
    return children(node, "declarations").flatMap((declarator) => {
      const id = child(declarator, "id");
      const init = child(declarator, "init");
      const name = nameOf(id);
      if (isFromScope(init)) return [];
      if (isImport(init)) return [this.#made("import", this.#importText(id, init), node)];
      if (name === undefined) return [this.#made("statement", "", node)];
      const made = this.#made(this.#kindOf(name, init), name, declarator);
      return [init === undefined ? made : { ...made, value: this.#slice(init) }];
    });
  }

  #kindOf(name: string, init: SyntaxNode | undefined): StatementKind {
    if (this.#assigned.has(name)) return "variable";
    if (init === undefined) return "variable";
    if (isFunction(init)) return "function";
    return init.type === "ClassExpression" ? "class" : "constant";
  }

  /** `x from "m"`. */
  #importText(id: SyntaxNode | undefined, init: SyntaxNode | undefined): string {
    const call = init?.type === "AwaitExpression" ? child(init, "argument") : init;
    const source = nameOf(children(call, "arguments")[0]) ?? "?";
    const name = id === undefined ? "" : this.#slice(id).replaceAll(/["{}\s]/g, "");
    return `${name.replace(/^(\w+):\1$/, "$1").replace(":", " as ")} from "${source}"`;
  }

  #made(kind: StatementKind, name: string, node: SyntaxNode): SliceStatement {
    const text = this.#slice(node);
    const { line, column } = this.#lines.placeOf(node.start);
    const lines = text
      .split("\n")
      .map((_, at) => this.#map?.find(line + at, at === 0 ? column : 0));
    const [place] = lines;
    return {
      kind,
      name,
      text,
      meaning: meaningOf(node),
      lines,
      ...(place === undefined ? {} : { place }),
    };
  }

  #slice({ start, end }: SyntaxNode): string {
    return this.#text.slice(start, end);
  }
}

function readMap(json: string | undefined): SourceMap | undefined {
  try {
    return json === undefined ? undefined : new SourceMap(json);
  } catch {
    return undefined;
  }
}

/** Names of the packages' part: `const { s0: dayjs } = scope`. */
function isFromScope(init: SyntaxNode | undefined): boolean {
  return nameOf(init) === "scope";
}

function isImport(init: SyntaxNode | undefined): boolean {
  const call = init?.type === "AwaitExpression" ? child(init, "argument") : init;
  if (call?.type !== "CallExpression") return false;
  return nameOf(rootOf(child(call, "callee"))) === "require";
}

/** Names that something is assigned to after their declaration. */
function assignedNames(body: SyntaxNode): Set<string> {
  const names = new Set<string>();
  walk(body, (node) => {
    if (node.type !== "AssignmentExpression" && node.type !== "UpdateExpression") return;
    const target = child(node, node.type === "UpdateExpression" ? "argument" : "left");
    const name = nameOf(target);
    if (name !== undefined) names.add(name);
  });
  return names;
}

/** The syntax without its places, so that neither comments nor layout nor needless brackets show. */
function meaningOf(node: SyntaxNode): string {
  return JSON.stringify(node, (key, value: unknown) =>
    key === "start" || key === "end" || key === "raw" || typeof value === "bigint"
      ? undefined
      : value,
  );
}
