/** The methods that declare steps, as types: on a flow, and on the scope that a switch arm is given. */
import type { Ctx } from "./context.ts";
import type {
  Deepest,
  Handle,
  Inputs,
  OutScope,
  Ref,
  SameScope,
  ScopeOf,
  StepHandle,
  Values,
} from "./handle.ts";
import type { SchemaOutput, StandardSchema } from "./standard-schema.ts";
import type { StepSettings } from "./step-settings.ts";
import type { StepResult } from "./storable.ts";

// `object | void`: a step returns its artifacts, or nothing.
// oxlint-disable-next-line typescript/no-invalid-void-type -- a function that returns nothing has type void
type Output = object | void;
type Artifacts<O> = O extends object ? O : NoArtifacts;
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- the object without artifacts
type NoArtifacts = Readonly<Record<never, never>>;

/** A step's function as its author writes it. */
export type StepBody<I, O> = (
  inputs: Values<I>,
  ctx: Ctx,
) => (O & StepResult<O>) | Promise<O & StepResult<O>>;

export interface CatchSetting<I, F> {
  /** Called when the last attempt has failed: its value becomes the task's result, so readers must tell the two apart. */
  readonly catch?: (error: Error, inputs: I) => F;
}

export interface PythonSettings<Schema extends StandardSchema, I = unknown, F = never>
  extends StepSettings, CatchSetting<I, F> {
  /** Relative to the flow file. */
  readonly file: string;
  /** The function in that file: it takes the inputs by name and returns a dict. */
  readonly fn: string;
  /** The shape of what it returns: types the handle here, and is checked when the step has run. */
  readonly out?: Schema;
  /** Distributions it needs, as for pip: `['scikit-learn>=1.2']`. */
  readonly requires?: readonly string[];
}

/** A Python step without `out`: any artifact name, each of unknown type. */
type Untyped = StandardSchema<unknown, Readonly<Record<string, unknown>>>;

type CaseOf<K extends string | boolean> = `${K}`;

/** Arms that are missing or too many, as a type whose property is the reason. */
type ArmsFit<K extends string | boolean, Names> = string extends K
  ? "else" extends Names
    ? unknown
    : { readonly __arm_error: "the cases of a plain string are not known: add an `else` arm" }
  : [Exclude<Names, CaseOf<K>>] extends [never]
    ? unknown
    : { readonly __arm_error: `no such case: ${Exclude<Names, CaseOf<K>> & string}` };

/** Every case of a literal type must have an arm; a plain string has an open set of cases. */
type ArmNames<K extends string | boolean> = string extends K ? "else" : CaseOf<K>;

export interface Scope<At extends string> {
  /**
   * Declares a step. It runs as soon as its inputs exist: once, or once for every element if an input is `each(list)`.
   * The object it returns is stored, one artifact a property, and the handle points to each of them.
   * @example const fit = f.step('fit', { rows: load.rows, lr: each(load.lrs) }, ({ rows, lr }) => ({ loss: train(rows, lr) }));
   */
  step<const N extends string, const I extends Inputs, O extends Output>(
    name: N,
    inputs: I & SameScope<Deepest<ScopeOf<I> | At>>,
    fn: StepBody<I, O>,
  ): StepHandle<Values<I>, Artifacts<O>, OutScope<I, N, Deepest<ScopeOf<I> | At>>>;
  step<const N extends string, const I extends Inputs, O extends Output, F = never>(
    name: N,
    inputs: I & SameScope<Deepest<ScopeOf<I> | At>>,
    settings: StepSettings & CatchSetting<Values<I>, F>,
    fn: StepBody<I, O>,
  ): StepHandle<Values<I>, Artifacts<O> | F, OutScope<I, N, Deepest<ScopeOf<I> | At>>>;

  /** Declares a step whose function is Python: numpy arrays and typed arrays are passed without conversion by hand. */
  python<
    const N extends string,
    const I extends Inputs,
    Schema extends StandardSchema = Untyped,
    F = never,
  >(
    name: N,
    inputs: I & SameScope<Deepest<ScopeOf<I> | At>>,
    settings: PythonSettings<Schema, Values<I>, F>,
  ): Handle<SchemaOutput<Schema> | F, OutScope<I, N, Deepest<ScopeOf<I> | At>>>;

  /**
   * Chooses one of several arms by a value: every case of a literal (or boolean) type needs one; a plain string needs `else`.
   * Each arm declares its steps on the scope it is given and returns a handle; the result is the chosen arm's.
   * @example const model = f.switch('route', probe.size, { big: (s) => s.step(…), small: (s) => s.step(…) });
   */
  switch<
    const N extends string,
    K extends string | boolean,
    S extends string,
    Results extends { [Case in ArmNames<K>]: unknown },
  >(
    name: N,
    on: Ref<K, S> & ArmsFit<K, keyof Results> & SameScope<Deepest<S | At>>,
    arms: {
      [Case in keyof Results]: (
        scope: Scope<`${Deepest<S | At>}/${N}=${Case & string}`>,
      ) => Ref<Results[Case], string>;
    },
  ): Handle<Results[keyof Results], Deepest<S | At>>;
}
