/**
 * Writes down what a flow file declares, in order, and never throws for a mistake: a flow is refused with all of its problems at
 * once, when its graph is asked for.
 */
import type { DeclaredItem, DeclaredStep, DeclaredSwitch } from "../graph/declared-flow.ts";
import type { ArmRef, InputDeclaration, ParamDeclaration, ValueRef } from "../graph/flow-graph.ts";
import { sourceRefusal } from "../graph/source-spec.ts";
import type { GraphProblem, GraphProblemCode } from "../graph/graph-problem.ts";
import type { StepFunctions, UserFunction } from "./flow-definition.ts";
import { declareParam, isSchema } from "./params.ts";
import { makePointer, pointerText, resolveRef, targetOf } from "./pointer.ts";
import type { PendingRef } from "./pointer.ts";
import type { StandardSchema } from "./standard-schema.ts";
import { SettingsReader, isRecord, show } from "./step-settings.ts";

type Encode = (value: unknown) => Uint8Array;
/** Completes a declaration once the codec for constants is at hand. */
type Resolve = (toRef: (ref: PendingRef) => ValueRef) => DeclaredItem;

interface StepCall {
  readonly kind: "step" | "python";
  readonly name: string;
  readonly inputs: unknown;
  readonly settings: unknown;
  readonly within: ArmRef | undefined;
}

interface SwitchCall {
  readonly name: string;
  readonly on: unknown;
  readonly within: ArmRef | undefined;
}

const PYTHON_OPTIONS = ["file", "fn", "requires", "out"];
const FROM_FORM = /^[a-zA-Z][\w-]*\/[^/]+\/[a-zA-Z][\w-]*(?:\[\d+(?:,\d+)*\])?\/[^/]+$/;

export class FlowRecorder {
  readonly functions = new Map<string, StepFunctions>();
  readonly schemas = new Map<string, StandardSchema>();
  readonly outSchemas = new Map<string, StandardSchema>();
  readonly #params: ParamDeclaration[] = [];
  readonly #items: Resolve[] = [];
  readonly #problems: GraphProblem[] = [];

  param(name: string, schema: unknown): void {
    if (isSchema(schema)) {
      this.schemas.set(name, schema);
      this.#params.push(declareParam(name, schema));
      return;
    }
    // Still declared, so that the steps that read it are not reported as well.
    this.#params.push({ name, kind: "json" });
    this.#problems.push({
      code: "PARAM_SCHEMA_INVALID",
      message: `Parameter "${name}" is ${show(schema)}.`,
      remedy:
        "Use a kind such as p.number(0.1), or a schema of zod, valibot or another Standard Schema library.",
    });
  }

  step(call: StepCall, fn: unknown): unknown {
    this.#declareStep(call);
    const settings = isRecord(call.settings) ? call.settings : {};
    if (typeof fn !== "function") {
      this.#report(call.name, "STEP_FUNCTION_MISSING", {
        message: `Step "${call.name}" has ${show(fn)} where its function is due.`,
        remedy: "Write step(name, inputs, function) or step(name, inputs, options, function).",
      });
    } else if (!this.functions.has(call.name)) {
      const handler = settings["catch"];
      this.functions.set(call.name, {
        fn: fn as UserFunction,
        ...(typeof handler === "function" ? { catch: handler as UserFunction } : {}),
      });
    }
    return makePointer({ ref: { k: "out", step: call.name, path: [] }, owner: this, fn });
  }

  python(call: StepCall): unknown {
    this.#declareStep(call);
    const out = isRecord(call.settings) ? call.settings["out"] : undefined;
    if (isSchema(out)) {
      if (!this.outSchemas.has(call.name)) this.outSchemas.set(call.name, out);
    } else if (out !== undefined) {
      this.#report(call.name, "OPTION_INVALID", {
        message: `Option "out" of step "${call.name}" is ${show(out)}.`,
        remedy: "Use a schema, such as z.object({ r2: z.number() }).",
      });
    }
    return makePointer({ ref: { k: "out", step: call.name, path: [] }, owner: this });
  }

  switch(call: SwitchCall, arms: ReadonlyMap<string, () => unknown>): unknown {
    const { name, on, within } = call;
    const target = this.#ownTarget(name, `switch "${name}"`, on);
    const results = new Map<string, PendingRef | undefined>();
    // The switch is written down before its arms declare their steps: the order of items is the order of dependence.
    this.#items.push((toRef): DeclaredSwitch => {
      const cases: Record<string, ValueRef | undefined> = {};
      for (const [key, ref] of results) cases[key] = ref === undefined ? undefined : toRef(ref);
      return {
        kind: "switch",
        name,
        cases,
        ...(target === undefined ? {} : { on: toRef(target) }),
        ...(within === undefined ? {} : { within }),
      };
    });
    for (const [key, declare] of arms) results.set(key, this.#armResult(name, key, declare()));
    return makePointer({ ref: { k: "switch", name, path: [] }, owner: this });
  }

  reportArms(name: string, arms: unknown): void {
    this.#report(name, "SWITCH_EMPTY", {
      message: `The arms of switch "${name}" are ${show(arms)}.`,
      remedy: "Give it an object of functions: { big: (s) => s.step(…), small: (s) => s.step(…) }.",
    });
  }

  /** The declarations as plain data, and what was wrong with them on their own. */
  declared(encode: Encode): {
    params: readonly ParamDeclaration[];
    items: readonly DeclaredItem[];
    problems: readonly GraphProblem[];
  } {
    const problems = [...this.#problems];
    const toRef = (ref: PendingRef): ValueRef =>
      resolveRef(ref, (value) => {
        try {
          return encode(value);
        } catch (error) {
          problems.push({
            code: "VALUE_UNSTORABLE",
            message: `A constant given to flow.value() cannot be stored: ${error instanceof Error ? error.message : String(error)}`,
            remedy:
              "Give data: numbers, strings, arrays, plain objects, typed arrays, Map, Set, Date or bigint.",
          });
          return new Uint8Array();
        }
      });
    return { params: this.#params, items: this.#items.map((item) => item(toRef)), problems };
  }

  #declareStep(call: StepCall): void {
    const reader = new SettingsReader(call.name);
    const isPython = call.kind === "python";
    const settings = isRecord(call.settings) ? call.settings : {};
    if (!isRecord(call.settings) && call.settings !== undefined) {
      this.#report(call.name, "OPTION_INVALID", {
        message: `The options of step "${call.name}" are ${show(call.settings)}.`,
        remedy: "Write an object: { retry: 3, timeout: '10m' }.",
      });
    }
    const options = reader.read(settings, isPython ? PYTHON_OPTIONS : []);
    this.#problems.push(...reader.problems);
    const inputs = this.#inputs(call);
    const python = isPython ? this.#pythonPart(call.name, settings) : undefined;
    this.#items.push((toRef): DeclaredStep => {
      return {
        kind: call.kind,
        name: call.name,
        inputs: inputs(toRef),
        options,
        ...(call.within === undefined ? {} : { within: call.within }),
        ...(python === undefined ? {} : { python }),
      };
    });
  }

  #pythonPart(name: string, settings: Readonly<Record<string, unknown>>) {
    const text = (value: unknown) => (typeof value === "string" ? value : "");
    const requires = settings["requires"] ?? [];
    const isList = Array.isArray(requires) && requires.every((item) => typeof item === "string");
    if (!isList) {
      this.#report(name, "OPTION_INVALID", {
        message: `Option "requires" of step "${name}" is ${show(requires)}.`,
        remedy: "Write requires: ['scikit-learn>=1.2'].",
      });
    }
    return {
      file: text(settings["file"]),
      fn: text(settings["fn"]),
      requires: isList ? requires : [],
    };
  }

  #inputs(call: StepCall): (toRef: (ref: PendingRef) => ValueRef) => InputDeclaration {
    if (targetOf(call.inputs) !== undefined) {
      const whole = this.#ownTarget(call.name, `step "${call.name}"`, call.inputs);
      return (toRef) => (whole === undefined ? { fields: {} } : { whole: toRef(whole) });
    }
    const fields: [string, PendingRef][] = [];
    if (isRecord(call.inputs)) {
      for (const [key, value] of Object.entries(call.inputs)) {
        const ref = this.#ownTarget(call.name, `input "${key}" of step "${call.name}"`, value);
        if (ref !== undefined) fields.push([key, ref]);
      }
    } else {
      this.#ownTarget(call.name, `step "${call.name}"`, call.inputs);
    }
    return (toRef) => ({
      fields: Object.fromEntries(fields.map(([key, ref]) => [key, toRef(ref)])),
    });
  }

  /** The ref behind a handle; undefined (and a problem) where it is none, or one of another flow. */
  #ownTarget(step: string, what: string, value: unknown): PendingRef | undefined {
    const target = targetOf(value);
    if (target === undefined) {
      this.#report(step, "INPUT_NOT_HANDLE", {
        message: `${capital(what)} is given ${show(value)} where a handle is due.`,
        remedy: "Give it another step's handle or a parameter; wrap a constant: flow.value(…).",
      });
      return undefined;
    }
    if (target.owner !== undefined && target.owner !== this) {
      this.#report(step, "INPUT_FOREIGN", {
        message: `${capital(what)} is given ${pointerText(target.ref)} of another flow.`,
        remedy: "Read another flow's results by from('flow/latest/step.artifact').",
      });
      return undefined;
    }
    this.#checkTarget(step, target.ref);
    return target.ref;
  }

  /** What can be said of a ref only while its constant is still a value. */
  #checkTarget(step: string, ref: PendingRef): void {
    if (ref.k === "each" && ref.of.k === "const" && !isList(ref.of.value)) {
      this.#report(step, "EACH_NOT_LIST", {
        message: `"${step}" uses each() over the constant ${pointerText(ref.of)}.`,
        remedy: "Give each() an array, a typed array or a Set.",
      });
    }
    if (ref.k === "each" || ref.k === "collect") this.#checkTarget(step, ref.of);
    if (ref.k === "from" && !FROM_FORM.test(ref.pathspec)) {
      this.#report(step, "FROM_INVALID", {
        message: `"${ref.pathspec}" does not name an artifact of another run.`,
        remedy:
          "Write from('flow/latest/step.artifact'), in a foreach from('flow/latest/step[3].artifact').",
      });
    }
    const refusal = ref.k === "source" ? sourceRefusal(ref.spec) : undefined;
    if (ref.k === "source" && refusal !== undefined) {
      this.#report(step, "SOURCE_INVALID", {
        message: `"${ref.spec}" cannot be a source: ${refusal}.`,
        remedy:
          "Write a path beside the flow file: 'file:data/a.csv', 'file:images/', 'file:*.csv'.",
      });
    }
  }

  #armResult(name: string, key: string, result: unknown): PendingRef | undefined {
    const target = targetOf(result);
    if (target === undefined) {
      this.#report(name, "ARM_RESULT_MISSING", {
        message: `Arm "${key}" of switch "${name}" returned ${show(result)} where a handle is due.`,
        remedy: "Return the handle of the arm's last step: (s) => s.step(…).",
      });
      return undefined;
    }
    return this.#ownTarget(name, `arm "${key}" of switch "${name}"`, result);
  }

  #report(step: string, code: GraphProblemCode, text: { message: string; remedy: string }): void {
    this.#problems.push({ code, step, ...text });
  }
}

function isList(value: unknown): boolean {
  return (
    Array.isArray(value) ||
    value instanceof Set ||
    (ArrayBuffer.isView(value) && !(value instanceof DataView))
  );
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
