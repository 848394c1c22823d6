/** Cuts out of the bundle what a step's functions reach, as two scripts: the packages' part and the user's own. */
import { isBuiltin } from "node:module";
import type { Variable } from "eslint-scope";
import { MfError } from "../model/errors.ts";
import { startOf, type FlowModule } from "./flow-module.ts";
import type { Unit } from "./module-units.ts";
import type { Reach, ReachMap } from "./reach.ts";
import { ScriptWriter } from "./script-writer.ts";
import { isStateless } from "./statelessness.ts";
import type { StepFunctionCode } from "./step-function.ts";
import { child, nameOf } from "./syntax.ts";
import type { TextEdit } from "./text-edits.ts";

export interface Slice {
  readonly slice: string;
  readonly sourceMap: string;
  readonly packages?: string;
  readonly isStateless: boolean;
  /** Import specifiers of packages that stay outside. */
  readonly outside: readonly string[];
}

/** What the slice evaluates to: expressions of the bundle by their names. A step's are its function and its `catch` handler. */
export interface SliceParts {
  readonly fn?: StepFunctionCode;
  readonly catch?: StepFunctionCode;
  readonly out?: StepFunctionCode;
}

const PART_NAMES = ["fn", "catch", "out"] as const;

export function cutSlice(module: FlowModule, reachMap: ReachMap, parts: SliceParts): Slice {
  const functions = PART_NAMES.flatMap((name) => parts[name] ?? []);
  const reach = reachMap.from(functions.flatMap((item) => item.variables));
  refuseHandles(module, functions, reach);
  const { packageUnits, userUnits } = layers(reachMap, reach);
  const shared = sharedNames(module, packageUnits, userUnits, functions);
  const imports = reach.variables;
  const packages = packageUnits.some((unit) => unit.layer === "package")
    ? packagesScript(module, packageUnits, shared, imports)
    : undefined;
  const script = userScript(module, userUnits, packages === undefined ? [] : shared, {
    ...parts,
    imports,
  });
  return {
    slice: script.text,
    sourceMap: script.sourceMap(),
    ...(packages === undefined ? {} : { packages }),
    isStateless: isStateless(userUnits, reachMap.changed, namesOf(module, userUnits)),
    outside: outsideOf(module, reach, functions),
  };
}

function refuseHandles(
  module: FlowModule,
  functions: readonly StepFunctionCode[],
  reach: Reach,
): void {
  const [fn] = functions;
  if (fn === undefined) return;
  const direct = functions.some(({ node }) =>
    [...module.flowUses].some((start) => start >= node.start && start < node.end),
  );
  const names = direct ? ["flow", ...reach.handles] : reach.handles;
  const [name] = names;
  if (name === undefined) return;
  throw new MfError("STEP_READS_HANDLE", {
    step: fn.step,
    names: names.join(", "),
    name,
    at: fn.at,
  });
}

/**
 * A package's unit that depends on the user's code, or that such a unit changes, goes with the user's code. A statement of the
 * user's that only sets up a package (`dayjs.extend(utc)`) goes with the package. The bundler's helpers go with both.
 */
function layers(reachMap: ReachMap, reach: Reach): { packageUnits: Unit[]; userUnits: Unit[] } {
  const inReach = new Map(reach.units.map((unit) => [unit.index, unit]));
  const users = new Map<number, number[]>();
  const setsUpPackage = new Set<Unit>();
  for (const unit of reach.units) {
    for (const dependency of reachMap.dependenciesOf(unit)) {
      const list = users.get(dependency);
      if (list === undefined) users.set(dependency, [unit.index]);
      else list.push(unit.index);
      if (unit.kind === "other" && inReach.get(dependency)?.layer === "package")
        setsUpPackage.add(unit);
    }
  }
  const user = new Set<Unit>();
  const queue = reach.units.filter((unit) => unit.layer === "user" && !setsUpPackage.has(unit));
  for (let unit = queue.pop(); unit !== undefined; unit = queue.pop()) {
    if (user.has(unit) || unit.layer === "runtime") continue;
    user.add(unit);
    const moved = unit.layer === "package" ? [...reachMap.changedBy(unit)] : [];
    for (const index of [...(users.get(unit.index) ?? []), ...moved]) {
      const next = inReach.get(index);
      if (next !== undefined) queue.push(next);
    }
  }
  const packageUnits = reach.units.filter((unit) => unit.layer !== "runtime" && !user.has(unit));
  const isHelper = (unit: Unit): boolean => unit.layer === "runtime";
  return {
    packageUnits:
      packageUnits.length === 0
        ? []
        : reach.units.filter((unit) => isHelper(unit) || !user.has(unit)),
    userUnits: reach.units.filter((unit) => isHelper(unit) || user.has(unit)),
  };
}

interface SharedName {
  readonly variable: Variable;
  /** Property of `scope`: a number, so that the bundler's renaming of an equal name elsewhere does not show. */
  readonly key: string;
  /** Assigned later than its declaration: read through `scope` each time. */
  readonly isLive: boolean;
}

function sharedNames(
  module: FlowModule,
  packageUnits: readonly Unit[],
  userUnits: readonly Unit[],
  functions: readonly StepFunctionCode[],
): SharedName[] {
  const used = namesOf(module, userUnits);
  for (const { variables } of functions) for (const variable of variables) used.add(variable);
  const indices = new Set(
    packageUnits
      .filter((unit) => unit.layer === "package" && unit.kind === "declaration")
      .map((unit) => unit.index),
  );
  const shared = [...used].filter((variable) =>
    [...(module.declared.get(variable) ?? [])].some((index) => indices.has(index)),
  );
  shared.sort((a, b) => startOf(a.defs[0]?.name) - startOf(b.defs[0]?.name));
  return shared.map((variable, index) => ({
    variable,
    key: `s${index}`,
    isLive: variable.references.some((item) => item.isWrite() && item.init !== true),
  }));
}

function namesOf(module: FlowModule, units: readonly Unit[]): Set<Variable> {
  return new Set(units.flatMap((unit) => [...(module.uses[unit.index] ?? [])]));
}

function packagesScript(
  module: FlowModule,
  units: readonly Unit[],
  shared: readonly SharedName[],
  imports: ReadonlySet<Variable>,
): string {
  const script = new ScriptWriter(module, module.edits, false);
  const waits = writeUnits(module, script, units, imports);
  script.write("return {");
  for (const { variable, key, isLive } of shared)
    script.write(
      isLive ? ` get ${key}() { return ${variable.name}; },` : ` ${key}: ${variable.name},`,
    );
  script.write(" };\n})");
  return `(${waits ? "async " : ""}(require) => { "use strict";\n${script.text}`;
}

interface UserParts extends SliceParts {
  readonly imports: ReadonlySet<Variable>;
}

function userScript(
  module: FlowModule,
  units: readonly Unit[],
  shared: readonly SharedName[],
  parts: UserParts,
): ScriptWriter {
  const live = shared.filter((item) => item.isLive).flatMap((item) => liveEdits(module, item));
  const edits = [...module.edits, ...live].sort((a, b) => a.start - b.start);
  const waits = units.some(
    (unit) => unit.isAsync || (unit.kind === "import" && mustLoad(importSource(unit))),
  );
  const script = new ScriptWriter(module, edits).write(
    `(${waits ? "async " : ""}(scope, require) => { "use strict";\n`,
  );
  const fixed = shared
    .filter((item) => !item.isLive)
    .map((item) => `${item.key}: ${item.variable.name}`);
  if (fixed.length > 0) script.write(`const { ${fixed.join(", ")} } = scope;\n`);
  writeUnits(module, script, units, parts.imports);
  script.write("return {");
  for (const [index, name] of PART_NAMES.filter((key) => parts[key] !== undefined).entries()) {
    script.write(`${index === 0 ? "" : ","}\n${name}: `);
    parts[name]?.writeExpression(script);
  }
  return script.write("\n};\n})");
}

function liveEdits(module: FlowModule, { variable, key }: SharedName): TextEdit[] {
  return variable.references.map((item) => {
    const start = startOf(item.identifier);
    const text = module.shorthands.has(start)
      ? `${variable.name}: scope.${key}`
      : isCallee(module, start + variable.name.length)
        ? `(0, scope.${key})`
        : `scope.${key}`;
    return { start, end: start + variable.name.length, text };
  });
}

function isCallee(module: FlowModule, end: number): boolean {
  return module.bundle.text[end] === "(";
}

/** True if evaluating the units has to wait. */
function writeUnits(
  module: FlowModule,
  script: ScriptWriter,
  units: readonly Unit[],
  reached: ReadonlySet<Variable>,
): boolean {
  let waits = false;
  const ordered = [
    ...units.filter((unit) => unit.kind === "import"),
    ...units.filter((unit) => unit.kind !== "import"),
  ];
  for (const unit of ordered) {
    waits ||= unit.isAsync;
    if (unit.kind === "import") {
      waits ||= mustLoad(importSource(unit));
      writeImport(module, script, unit, reached);
    } else if (unit.kind !== "export") {
      script
        .write(unit.prefix)
        .copy(unit.start, unit.end)
        .write(unit.prefix === "" ? "\n" : ";\n");
    }
  }
  return waits;
}

function writeImport(
  module: FlowModule,
  script: ScriptWriter,
  unit: Unit,
  reached: ReadonlySet<Variable>,
): void {
  const source = importSource(unit);
  const isLoaded = mustLoad(source);
  const from = isLoaded
    ? `await require.load(${JSON.stringify(source)})`
    : `require(${JSON.stringify(source)})`;
  for (const [variable, binding] of module.imports) {
    if (!reached.has(variable) || module.unitAt(startOf(variable.defs[0]?.name)) !== unit) continue;
    // A built-in module is its own default export.
    const isWhole = binding.imported === "*" || (binding.imported === "default" && !isLoaded);
    const target = isWhole
      ? variable.name
      : `{ ${JSON.stringify(binding.imported)}: ${variable.name} }`;
    script.write(`const ${target} = ${from};\n`);
  }
}

function importSource(unit: Unit): string {
  return nameOf(child(unit.node, "source")) ?? "";
}

/** Built-in modules are at hand; what is outside may be an ES module and has to be waited for. */
function mustLoad(source: string): boolean {
  return !isBuiltin(source);
}

function outsideOf(
  module: FlowModule,
  reach: Reach,
  functions: readonly StepFunctionCode[],
): string[] {
  const ranges = [...reach.units, ...functions.map((item) => item.node)];
  const text = ranges.map((item) => module.bundle.text.slice(item.start, item.end)).join("\n");
  return [...module.bundle.externals.keys()]
    .filter((name) => text.includes(JSON.stringify(name)))
    .sort();
}
