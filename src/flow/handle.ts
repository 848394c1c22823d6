/**
 * Handles as types. A handle is a pointer to a value that some task will store; evaluating a flow file passes handles around
 * and runs no step. Each carries the type of its value and its scope: the path of the foreachs ("/fit") and switch arms
 * ("/route=big") in which the value exists. The compiler compares scopes, so a forgotten collect() is a type error.
 */
declare const VALUE: unique symbol;
declare const SCOPE: unique symbol;
declare const EACH: unique symbol;
declare const CALL: unique symbol;

/** A pointer to a value of type T in scope S. */
export interface Ref<T, S extends string = ""> {
  readonly [VALUE]: T;
  readonly [SCOPE]: S;
}

/** A pointer to an object and, by name, to each of its properties. Homomorphic: the editor's rename follows an artifact. */
export type Handle<O, S extends string = ""> = Ref<O, S> &
  (O extends object ? { readonly [K in keyof O]: Ref<O[K], S> } : unknown);

/** What step() returns: a handle that also remembers its function's type (see `stepFunction` in meshflow/testing). */
export type StepHandle<I, O, S extends string = ""> = Handle<O, S> & Callable<I, O>;

/** The part of a step's handle that leads to its function. */
export interface Callable<I, O> {
  readonly [CALL]: (inputs: I) => O;
}

/** each(list): the step runs once for every element. */
export interface Each<T, S extends string = ""> {
  readonly [EACH]: true;
  readonly [VALUE]: T;
  readonly [SCOPE]: S;
}

/** Lists that each() goes through. */
export type List = readonly unknown[] | ReadonlySet<unknown> | NumberArray | BigIntArray;
type BigIntArray = BigInt64Array | BigUint64Array;
type NumberArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

export type ElementOf<L> = L extends readonly (infer T)[]
  ? T
  : L extends ReadonlySet<infer T>
    ? T
    : L extends BigIntArray
      ? bigint
      : number;

type Prefixes<S extends string, Before extends string = ""> = S extends `/${infer H}/${infer R}`
  ? "" | Prefixes<`/${R}`, `${Before}/${H}`> | `${Before}/${H}`
  : S extends `/${infer H}`
    ? "" | Before | `${Before}/${H}`
    : "";

/** The one scope of which all others are prefixes; `never` where two foreachs or two arms are mixed. */
export type Deepest<U extends string, All extends string = U> = U extends string
  ? [All] extends [Prefixes<U>]
    ? U
    : never
  : never;

/** The scope around S: "/fit/cv" -> "/fit". */
export type Parent<S extends string> = S extends `${infer A}/${infer B}`
  ? B extends `${string}/${string}`
    ? `${A}/${Parent<B>}`
    : A
  : "";

type LastSegment<S extends string> = S extends `${string}/${infer R}`
  ? R extends `${string}/${string}`
    ? LastSegment<R>
    : R
  : "";

/** Whether collect() has a foreach to leave, as a type whose property is the reason where it has none. */
export type Collectable<S extends string> =
  LastSegment<S> extends `${string}=${string}`
    ? {
        readonly __collect_error: "this value stands in a switch arm, not in a foreach: use the handle that switch() returned";
      }
    : S extends ""
      ? {
          readonly __collect_error: "collect() needs a value from inside a foreach: no each() leads to this one";
        }
      : unknown;

export type SameScope<S extends string> = [S] extends [never]
  ? {
      readonly __scope_error: "these inputs come from two unrelated foreach/switch scopes: collect() one of them first";
    }
  : unknown;

/** Any pointer, or any pointer under each(). */
export type Input = Ref<unknown, string> | Each<unknown, string>;

/** A step's inputs: pointers by name, or one handle whose value is the inputs. */
export type Inputs = Input | { readonly [name: string]: Input };

/** What the step's function receives for these inputs. */
export type Values<I> =
  I extends Ref<infer T, string>
    ? T
    : I extends Each<infer T, string>
      ? T
      : I extends object
        ? { [K in keyof I]: Values<I[K]> }
        : never;

type InputScope<I> = I extends { readonly [SCOPE]: infer S extends string } ? S : never;

export type ScopeOf<I> = I extends Input
  ? InputScope<I>
  : keyof I extends never
    ? ""
    : { [K in keyof I]: InputScope<I[K]> }[keyof I];

type HasEach<I> =
  I extends Each<unknown, string>
    ? true
    : I extends Ref<unknown, string>
      ? false
      : true extends { [K in keyof I]: I[K] extends Each<unknown, string> ? true : false }[keyof I]
        ? true
        : false;

/** A step with an each() among its inputs opens a foreach of its own name. */
export type OutScope<I, N extends string, S extends string> =
  HasEach<I> extends true ? `${S}/${N}` : S;
