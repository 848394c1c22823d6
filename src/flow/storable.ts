/**
 * Which values may be stored, as a type: what cannot be is replaced by an object whose only property says why, so that the
 * compiler's message carries the reason.
 */
import type { FileRef } from "./file-ref.ts";

/** Types that are stored as they are. Packages add theirs by declaration merging: `interface ArtifactTypes { table: Table }`. */
export interface ArtifactTypes {
  readonly date: Date;
  readonly view: ArrayBufferView;
  readonly buffer: ArrayBuffer;
  readonly file: FileRef;
}

type Known = ArtifactTypes[keyof ArtifactTypes];
type Primitive = string | number | boolean | bigint | null | undefined;

// oxlint-disable-next-line typescript/no-explicit-any -- only `any` matches every function whatever its parameters
type AnyFunction = (...values: any[]) => unknown;

/** T where it can be stored; otherwise T with the reason in place of the offending part. */
export type Storable<T> = unknown extends T ? T : StorableKnown<T>;

/** Of what has a type at all: the value of a from() without one is looked at when it is stored. */
type StorableKnown<T> = T extends Primitive | Known
  ? T
  : T extends AnyFunction
    ? { readonly __error: "a function cannot be stored as an artifact" }
    : T extends symbol
      ? { readonly __error: "a symbol cannot be stored as an artifact" }
      : T extends Promise<unknown>
        ? { readonly __error: "a promise cannot be stored as an artifact: await it" }
        : T extends ReadonlyMap<infer K, infer V>
          ? ReadonlyMap<Storable<K>, Storable<V>>
          : T extends ReadonlySet<infer V>
            ? ReadonlySet<Storable<V>>
            : { [K in keyof T]: Storable<T[K]> };

type NotArtifacts =
  | readonly unknown[]
  | Known
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | AnyFunction;

/** What a step may return: an object, whose properties are its artifacts. */
export type StepResult<O> = O extends NotArtifacts
  ? {
      readonly __error: "a step returns an object whose properties are its artifacts: return { name: value }";
    }
  : Storable<O>;
