/**
 * What a step's function reaches at module level. A name brings the units that declare it and the units whose evaluation changes it
 * (`X.prototype.y = …`, `Object.assign(X, …)`, `register(X)`, `init()` where init writes it).
 */
import type { Variable } from "eslint-scope";
import type { FlowModule } from "./flow-module.ts";
import { startOf } from "./flow-module.ts";
import { defined } from "../std/assert.ts";
import { child, nameOf, rootOf, walk } from "./syntax.ts";
import type { Unit } from "./module-units.ts";

export interface Reach {
  /** Units in order of the bundle. */
  readonly units: readonly Unit[];
  readonly variables: ReadonlySet<Variable>;
  /** Names of the function's own through which it gets at the flow or one of its handles. */
  readonly handles: readonly string[];
}

export class ReachMap {
  readonly #module: FlowModule;
  /** Name -> units that must be evaluated for it to be what it is in the whole module. */
  readonly #owners = new Map<Variable, Set<number>>();
  readonly #touchesFlow: ReadonlySet<number>;
  /** Statements with effects beyond the module's names: part of every step, or of those that reach the package's file. */
  readonly #always: Unit[] = [];
  /** Names that are changed in place or assigned after their declaration by some unit. */
  readonly changed: ReadonlySet<Variable>;

  /** By unit: names it changes itself. */
  readonly #direct: readonly ReadonlySet<Variable>[];

  constructor(module: FlowModule) {
    this.#module = module;
    this.#touchesFlow = unitsTouchingFlow(module);
    this.#direct = module.units.map((unit) => directChanges(module, unit));
    this.changed = new Set(this.#direct.flatMap((names) => [...names]));
    for (const [variable, units] of module.declared) this.#owners.set(variable, new Set(units));
    const calls = callEffects(module, this.#direct);
    for (const unit of module.units) this.#attach(unit, calls[unit.index]);
  }

  /** From names read at these offsets. */
  from(variables: Iterable<Variable>): Reach {
    const first = new Map<Variable, string>();
    const queue: Variable[] = [];
    const units = new Set<number>();
    const handles = new Set<string>();
    const push = (variable: Variable, name: string): void => {
      if (first.has(variable)) return;
      first.set(variable, name);
      queue.push(variable);
    };
    const visit = (index: number, name: string): void => {
      if (units.has(index)) return;
      units.add(index);
      if (name !== "" && this.#usesFlow(index)) handles.add(name);
      for (const used of this.#module.uses[index] ?? []) push(used, name);
    };
    const drain = (): void => {
      for (let variable = queue.pop(); variable !== undefined; variable = queue.pop()) {
        const name = first.get(variable) ?? "";
        for (const index of this.#owners.get(variable) ?? []) visit(index, name);
      }
    };
    for (const variable of variables) push(variable, variable.name);
    drain();
    for (let size = -1; size !== units.size; drain()) {
      size = units.size;
      const files = new Set([...units].map((index) => this.#module.units[index]?.origin));
      for (const unit of this.#always)
        if (unit.layer === "user" || files.has(unit.origin)) visit(unit.index, "");
    }
    const list = [...units]
      .sort((a, b) => a - b)
      .map((index) => defined(this.#module.units[index]));
    return { units: list, variables: new Set(first.keys()), handles: [...handles] };
  }

  /** Units that evaluating the unit depends on directly. */
  dependenciesOf(unit: Unit): ReadonlySet<number> {
    const found = new Set<number>();
    for (const variable of this.#module.uses[unit.index] ?? []) {
      for (const owner of this.#owners.get(variable) ?? []) found.add(owner);
    }
    return found;
  }

  /** Units that declare a name which the unit changes. */
  changedBy(unit: Unit): ReadonlySet<number> {
    const names = [...(this.#direct[unit.index] ?? [])];
    return new Set(names.flatMap((variable) => [...(this.#module.declared.get(variable) ?? [])]));
  }

  #usesFlow(index: number): boolean {
    const unit = this.#module.units[index];
    if (unit === undefined || unit.kind === "import") return false;
    return [...this.#module.flowUses].some((start) => start >= unit.start && start < unit.end);
  }

  #attach(unit: Unit, called: ReadonlySet<number> | undefined): void {
    if (
      unit.isInert ||
      unit.kind === "import" ||
      unit.kind === "export" ||
      this.#touchesFlow.has(unit.index)
    )
      return;
    const changes = new Set(this.#direct[unit.index]);
    for (const index of called ?? [])
      for (const variable of this.#direct[index] ?? []) changes.add(variable);
    if (unit.kind === "other") {
      for (const start of this.#module.mutations[unit.index]?.possible ?? []) {
        const variable = this.#module.names.get(start);
        if (variable !== undefined) changes.add(variable);
      }
    }
    for (const variable of changes) this.#owners.get(variable)?.add(unit.index);
    const isFree = changes.size === 0 || readsGlobalObject(unit);
    if (unit.kind === "other" && isFree && hasEffect(unit)) this.#always.push(unit);
  }
}

/** Names a unit assigns after their declaration or changes in place, at any depth. */
function directChanges(module: FlowModule, unit: Unit): Set<Variable> {
  const changes = new Set<Variable>();
  for (const start of module.mutations[unit.index]?.certain ?? []) {
    const variable = module.names.get(start);
    if (variable !== undefined) changes.add(variable);
  }
  for (const variable of module.uses[unit.index] ?? []) {
    const writes = variable.references.some((item) => {
      const start = startOf(item.identifier);
      return item.isWrite() && item.init !== true && start >= unit.start && start < unit.end;
    });
    if (writes) changes.add(variable);
  }
  return changes;
}

/** By unit: the functions (and other inert units) that evaluating it may call and that change some name. */
function callEffects(
  module: FlowModule,
  direct: readonly ReadonlySet<Variable>[],
): readonly ReadonlySet<number>[] {
  const users = usersOf(module);
  const effects = module.units.map(() => new Set<number>());
  for (const source of module.units) {
    if (!source.isInert || direct[source.index]?.size === 0) continue;
    const seen = new Set([source.index]);
    const queue = [source.index];
    for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
      for (const user of users.get(index) ?? []) {
        if (seen.has(user)) continue;
        seen.add(user);
        if (module.units[user]?.isInert === true) queue.push(user);
        else effects[user]?.add(source.index);
      }
    }
  }
  return effects;
}

/** Unit -> units that use a name it declares. */
function usersOf(module: FlowModule): ReadonlyMap<number, ReadonlySet<number>> {
  const users = new Map<number, Set<number>>();
  for (const [index, variables] of module.uses.entries()) {
    for (const variable of variables) {
      for (const owner of module.declared.get(variable) ?? []) {
        const set = users.get(owner) ?? new Set<number>();
        users.set(owner, set.add(index));
      }
    }
  }
  return users;
}

function unitsTouchingFlow(module: FlowModule): Set<number> {
  const users = usersOf(module);
  const seen = new Set<number>();
  const queue = [...module.flowUses].flatMap((start) => module.unitAt(start)?.index ?? []);
  for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
    if (seen.has(index)) continue;
    seen.add(index);
    queue.push(...(users.get(index) ?? []));
  }
  return seen;
}

/** Zod's `globalThis.config ??= {}` becomes, in older syntax, `(_a = globalThis).config ?? (_a.config = {})`: it changes more than `_a`. */
function readsGlobalObject(unit: Unit): boolean {
  let found = false;
  walk(unit.node, (at) => {
    if (at.type === "Identifier" && (at["name"] === "globalThis" || at["name"] === "global"))
      found = true;
    return !found;
  });
  return found;
}

/** Messages on the console and bare literals are no part of what a step computes. */
function hasEffect(unit: Unit): boolean {
  const expression = child(unit.node, "expression");
  if (unit.node.type === "EmptyStatement" || expression?.type === "Literal") return false;
  return nameOf(rootOf(child(expression, "callee"))) !== "console";
}
