/**
 * What a handle points to, at one index of the run: follows a reference through switches and collects to content.
 * Everything it reads must be done; the run machine sees to that.
 */
import type { ValueRef } from "../../graph/flow-graph.ts";
import { WHOLE_INPUT } from "../../graph/queries.ts";
import { MfError } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import { taskText } from "../../model/ids.ts";
import { defined, unreachable } from "../../std/assert.ts";
import type { FlowPlan } from "./flow-plan.ts";
import type { ListUnit, SwitchUnit, TaskUnit } from "./run-units.ts";

/** What is known before the run: parameters by name, constants by their data, versions of other runs by pathspec. */
export interface GivenValues {
  readonly params: ReadonlyMap<string, InputSource>;
  readonly constants: ReadonlyMap<string, InputSource>;
  readonly versions: ReadonlyMap<string, InputSource>;
  /** Files outside, as the flow names them. */
  readonly sources: ReadonlyMap<string, InputSource>;
}

export interface ResolutionScope {
  readonly plan: FlowPlan;
  readonly given: GivenValues;
  task(step: string, index: readonly number[]): TaskUnit;
  decision(name: string, index: readonly number[]): SwitchUnit;
  list(ref: Extract<ValueRef, { k: "collect" }>, index: readonly number[]): ListUnit;
}

export function resolveRef(
  scope: ResolutionScope,
  ref: ValueRef,
  index: readonly number[],
): InputSource {
  switch (ref.k) {
    case "param":
      return ref.name === WHOLE_INPUT
        ? { k: "object", fields: Object.fromEntries(scope.given.params) }
        : defined(scope.given.params.get(ref.name), `parameter ${ref.name}`);
    case "const":
      return defined(scope.given.constants.get(ref.data), "constant");
    case "from":
      return defined(scope.given.versions.get(ref.pathspec), `version ${ref.pathspec}`);
    case "source":
      return defined(scope.given.sources.get(ref.spec), `source ${ref.spec}`);
    case "out":
      return outputOf(scope.task(ref.step, index), ref.path);
    case "switch": {
      const unit = scope.decision(ref.name, index);
      const value = defined(unit.plan.declaration.cases[defined(unit.chosen)]);
      return within(resolveRef(scope, value, unit.index), ref.path, `switch ${ref.name}`);
    }
    case "collect":
      return defined(scope.list(ref, index).source, "collected list");
    case "each":
      return unreachable(ref as never);
  }
}

function outputOf(task: TaskUnit, path: readonly string[]): InputSource {
  const { outputs } = defined(task.fact, "fact of a finished task");
  const [name, ...rest] = path;
  if (name === undefined) {
    const fields: Record<string, InputSource> = {};
    for (const key of Object.keys(outputs))
      fields[key] = { k: "artifact", id: defined(outputs[key]).id };
    return { k: "object", fields };
  }
  if (!Object.hasOwn(outputs, name)) {
    throw new MfError("INPUT_MISSING", {
      source: taskText({ step: task.step.name, index: task.index }),
      name,
      known: Object.keys(outputs).join(", ") || "nothing",
    });
  }
  const { id } = defined(outputs[name]);
  return rest.length === 0 ? { k: "artifact", id } : { k: "artifact", id, path: rest };
}

/** A property inside a value that is already known as a source. */
function within(source: InputSource, path: readonly string[], what: string): InputSource {
  const [name, ...rest] = path;
  if (name === undefined) return source;
  switch (source.k) {
    case "artifact":
      return { k: "artifact", id: source.id, path: [...(source.path ?? []), ...path] };
    case "bytes":
      return { k: "artifact", id: source.id, path };
    case "object": {
      const field = Object.hasOwn(source.fields, name) ? source.fields[name] : undefined;
      if (field === undefined)
        throw new MfError("INPUT_MISSING", {
          source: what,
          name,
          known: Object.keys(source.fields).join(", "),
        });
      return within(field, rest, what);
    }
    case "list": {
      const item = source.items[Number(name)];
      if (item === undefined)
        throw new MfError("INPUT_MISSING", {
          source: what,
          name,
          known: `${source.items.length} items`,
        });
      return within(item, rest, what);
    }
  }
}
