/** The parsed bundle: its units, who uses and who changes which module-level name, and the texts that must be rewritten to run outside a module. */
import { parse, type Comment } from "acorn";
import {
  analyze,
  type Reference,
  type Scope,
  type ScopeManager,
  type Variable,
} from "eslint-scope";
import type { FlowBundle } from "./bundle-flow.ts";
import { mutationsOf, type Mutations } from "./mutations.ts";
import { cutUnits, wrapperKey, type OriginMark, type Unit } from "./module-units.ts";
import { SourceMap, type SourcePlace } from "./source-map.ts";
import { child, children, isFunction, nameOf, walk, type SyntaxNode } from "./syntax.ts";
import { LineIndex, type TextEdit } from "./text-edits.ts";

export interface FunctionPlace {
  readonly node: SyntaxNode;
  readonly parent: SyntaxNode | undefined;
}

export interface ImportBinding {
  readonly source: string;
  /** `*` for the whole namespace. */
  readonly imported: string;
}

export interface FlowModule {
  readonly bundle: FlowBundle;
  readonly ast: SyntaxNode;
  readonly units: readonly Unit[];
  readonly map: SourceMap;
  readonly lines: LineIndex;
  readonly functions: readonly FunctionPlace[];
  readonly moduleScope: Scope;
  readonly scopes: readonly Scope[];
  /** Start offset of an identifier -> the module-level name it means. */
  readonly names: ReadonlyMap<number, Variable>;
  readonly uses: readonly ReadonlySet<Variable>[];
  readonly declared: ReadonlyMap<Variable, ReadonlySet<number>>;
  readonly imports: ReadonlyMap<Variable, ImportBinding>;
  readonly mutations: readonly Mutations[];
  /** Identifiers that stand for `{ x: x }` in `{ x }`. */
  readonly shorthands: ReadonlySet<number>;
  /** Uses of meshflow's `flow`, by start offset. */
  readonly flowUses: ReadonlySet<number>;
  /** `import.meta`, dynamic import and the like, rewritten in terms of `require`. */
  readonly edits: readonly TextEdit[];
  unitAt(offset: number): Unit | undefined;
  placeOf(offset: number): SourcePlace | undefined;
}

export function parseFlowModule(bundle: FlowBundle): FlowModule {
  const comments: Comment[] = [];
  const ast = parse(bundle.text, {
    ecmaVersion: "latest",
    sourceType: "module",
    ranges: true,
    onComment: comments,
  }) as unknown as SyntaxNode;
  const manager: ScopeManager = analyze(ast as unknown as Parameters<typeof analyze>[0], {
    ecmaVersion: 2022,
    sourceType: "module",
  });
  const moduleScope = manager.scopes.find((scope) => scope.type === "module") ?? manager.scopes[0];
  if (moduleScope === undefined) throw new Error("a bundle has a module scope");
  const units = cutUnits(children(ast, "body"), originMarks(bundle, comments));
  const unitAt = (offset: number): Unit | undefined => findUnit(units, offset);
  const lines = new LineIndex(bundle.text);
  const map = new SourceMap(bundle.map);
  const facts = collectFacts(bundle, ast, unitAt, freeNames(manager));
  const links = linkNames(moduleScope, units, unitAt);
  const imports = importBindings(moduleScope);
  return {
    bundle,
    ast,
    units,
    map,
    lines,
    moduleScope,
    scopes: manager.scopes,
    ...facts,
    ...links,
    imports,
    mutations: units.map((unit) => mutationsOf(unit.node)),
    flowUses: flowUses(imports, facts.flowMembers),
    unitAt,
    placeOf(offset) {
      const { line, column } = lines.placeOf(offset);
      return map.find(line, column);
    },
  };
}

/** The bundler writes `// path` at the start of a line before each file's statements; no comment of a user survives there. */
function originMarks(bundle: FlowBundle, comments: readonly Comment[]): OriginMark[] {
  const files = new Set(bundle.inputs);
  return comments
    .filter(
      (item) =>
        item.type === "Line" &&
        (item.start === 0 || bundle.text[item.start - 1] === "\n") &&
        files.has(item.value.trim()),
    )
    .map((item) => ({ at: item.start, file: item.value.trim() }));
}

function findUnit(units: readonly Unit[], offset: number): Unit | undefined {
  let low = 0;
  let high = units.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const unit = units[middle];
    if (unit === undefined) return undefined;
    if (offset < unit.start) high = middle - 1;
    else if (offset >= unit.end) low = middle + 1;
    else return unit;
  }
  return undefined;
}

interface SyntaxFacts {
  readonly functions: readonly FunctionPlace[];
  readonly shorthands: ReadonlySet<number>;
  readonly flowMembers: ReadonlySet<number>;
  readonly edits: readonly TextEdit[];
}

function collectFacts(
  bundle: FlowBundle,
  ast: SyntaxNode,
  unitAt: (offset: number) => Unit | undefined,
  free: readonly Reference[],
): SyntaxFacts {
  const functions: FunctionPlace[] = [];
  const shorthands = new Set<number>();
  const flowMembers = new Set<number>();
  const edits: TextEdit[] = [];
  const fileOf = (offset: number): string =>
    `require.file(${JSON.stringify(unitAt(offset)?.origin ?? bundle.inputs.at(-1) ?? "")})`;
  walk(ast, (node, parent) => {
    if (isFunction(node)) functions.push({ node, parent });
    if (node.type === "Property" && node["shorthand"] === true)
      shorthands.add(child(node, "value")?.start ?? -1);
    if (node.type === "MemberExpression" && nameOf(child(node, "property")) === "flow")
      flowMembers.add(node.start);
    if (node.type === "MetaProperty" && nameOf(child(node, "meta")) === "import")
      edits.push({ start: node.start, end: node.end, text: fileOf(node.start) });
    if (node.type === "ImportExpression")
      edits.push({ start: node.start, end: node.start + "import".length, text: "require.load" });
    const key = wrapperKey(node);
    // Where a package is installed is no part of what it is.
    if (key !== undefined && typeof key["value"] === "string") {
      edits.push({
        start: key.start,
        end: key.end,
        text: JSON.stringify(key["value"].split("node_modules/").at(-1)),
      });
    }
    return true;
  });
  for (const { identifier } of free) {
    const { name, range } = identifier as unknown as { name: string; range: [number, number] };
    const property = name === "__dirname" ? "dirname" : "filename";
    edits.push({
      start: range[0],
      end: range[1],
      text: `${shorthands.has(range[0]) ? `${name}: ` : ""}${fileOf(range[0])}.${property}`,
    });
  }
  return { functions, shorthands, flowMembers, edits: edits.sort((a, b) => a.start - b.start) };
}

function freeNames(manager: ScopeManager): readonly Reference[] {
  const through = manager.scopes[0]?.through ?? [];
  return through.filter((item) =>
    ["__dirname", "__filename"].includes((item.identifier as { name?: string }).name ?? ""),
  );
}

interface NameLinks {
  readonly names: ReadonlyMap<number, Variable>;
  readonly uses: readonly ReadonlySet<Variable>[];
  readonly declared: ReadonlyMap<Variable, ReadonlySet<number>>;
}

function linkNames(
  scope: Scope,
  units: readonly Unit[],
  unitAt: (offset: number) => Unit | undefined,
): NameLinks {
  const names = new Map<number, Variable>();
  const uses = units.map(() => new Set<Variable>());
  const declared = new Map<Variable, Set<number>>();
  for (const variable of scope.variables) {
    const owners = new Set<number>();
    declared.set(variable, owners);
    for (const definition of variable.defs) {
      const unit = unitAt(startOf(definition.name));
      if (unit !== undefined) owners.add(unit.index);
    }
    for (const reference of variable.references) {
      const start = startOf(reference.identifier);
      names.set(start, variable);
      const unit = unitAt(start);
      if (unit !== undefined) uses[unit.index]?.add(variable);
    }
  }
  return { names, uses, declared };
}

export function startOf(node: unknown): number {
  return (node as SyntaxNode).start;
}

function importBindings(scope: Scope): Map<Variable, ImportBinding> {
  const bindings = new Map<Variable, ImportBinding>();
  for (const variable of scope.variables) {
    for (const definition of variable.defs) {
      if (definition.type !== "ImportBinding") continue;
      const specifier = definition.node as unknown as SyntaxNode;
      const source = nameOf(child(definition.parent as unknown as SyntaxNode, "source")) ?? "";
      if (specifier.type === "ImportNamespaceSpecifier")
        bindings.set(variable, { source, imported: "*" });
      else if (specifier.type === "ImportDefaultSpecifier")
        bindings.set(variable, { source, imported: "default" });
      else
        bindings.set(variable, {
          source,
          imported: nameOf(child(specifier, "imported")) ?? variable.name,
        });
    }
  }
  return bindings;
}

function flowUses(
  imports: ReadonlyMap<Variable, ImportBinding>,
  members: ReadonlySet<number>,
): Set<number> {
  const found = new Set<number>();
  for (const [variable, { source, imported }] of imports) {
    if (source !== "meshflow") continue;
    for (const reference of variable.references) {
      const start = startOf(reference.identifier);
      if (imported === "flow" || (["*", "default"].includes(imported) && members.has(start)))
        found.add(start);
    }
  }
  return found;
}
