/**
 * What a handle is when a flow file is evaluated: a proxy that answers every property with a pointer to that property, and
 * refuses to be looked at, because the value does not exist yet. What it points to is behind a symbol, so that no artifact's
 * name can clash with it.
 */
import type { ValueRef } from "../graph/flow-graph.ts";
import { refText } from "../graph/queries.ts";

const TARGET: unique symbol = Symbol.for("meshflow.pointer");

/** A ValueRef whose constants are not encoded yet: the codec belongs to whoever asks for the graph. */
export type PendingRef =
  | Exclude<ValueRef, { readonly k: "each" | "collect" | "const" }>
  | { readonly k: "each"; readonly of: PendingRef }
  | { readonly k: "collect"; readonly of: PendingRef }
  | { readonly k: "const"; readonly value: unknown };

export interface PointerTarget {
  readonly ref: PendingRef;
  /** The flow it belongs to; undefined for from(), which belongs to none. */
  readonly owner: object | undefined;
  /** The step's function, on the handle that step() returned. */
  readonly fn?: unknown;
}

export function makePointer(target: PointerTarget): unknown {
  return new Proxy(Object.freeze({ [TARGET]: target }), {
    get: (_self, key) => propertyOf(target, key),
    set: () => {
      throw new TypeError(
        `A handle is a pointer to a value that a task will store; it cannot be assigned to.`,
      );
    },
  });
}

/** What a handle points to; undefined if `value` is no handle. */
export function targetOf(value: unknown): PointerTarget | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { readonly [TARGET]?: PointerTarget })[TARGET];
}

function propertyOf(target: PointerTarget, key: string | symbol): unknown {
  if (key === TARGET) return target;
  if (key === Symbol.toPrimitive || key === Symbol.iterator || key === Symbol.asyncIterator) {
    return () => {
      throw new TypeError(lookedAt(target.ref));
    };
  }
  // `await handle` and JSON.stringify(handle) ask for these; answering with a pointer would make them fail far from here.
  if (typeof key === "symbol" || key === "then" || key === "toJSON") return undefined;
  const ref = deeper(target.ref, key);
  return ref === undefined ? undefined : makePointer({ ref, owner: target.owner });
}

function deeper(ref: PendingRef, key: string): PendingRef | undefined {
  if (ref.k === "param") return ref.name === "*" ? { k: "param", name: key } : undefined;
  if (ref.k === "out" || ref.k === "switch") return { ...ref, path: [...ref.path, key] };
  return undefined;
}

function lookedAt(ref: PendingRef): string {
  return (
    `${pointerText(ref)}: a handle is a pointer to a value that a task will store when the flow runs; ` +
    "`if (handle)`, `handle > 1`, `${handle}` or a loop over it cannot look at that value while the graph is built. " +
    "Give the handle to a step and look at the value there; to choose between steps use switch(), to loop use each()."
  );
}

/** How the user wrote it, for messages. */
export function pointerText(ref: PendingRef): string {
  return refText(resolveRef(ref, () => new Uint8Array()));
}

/** The ref as plain data, its constants encoded. */
export function resolveRef(ref: PendingRef, encode: (value: unknown) => Uint8Array): ValueRef {
  switch (ref.k) {
    case "each":
    case "collect":
      return { k: ref.k, of: resolveRef(ref.of, encode) };
    case "const":
      return {
        k: "const",
        data: Buffer.from(encode(ref.value)).toString("base64"),
        text: constantText(ref.value),
      };
    case "param":
    case "out":
    case "switch":
    case "from":
    case "source":
      return ref;
  }
}

const CONSTANT_CHARS_MAX = 40;

function constantText(value: unknown): string {
  if (ArrayBuffer.isView(value)) return value.constructor.name;
  if (value instanceof Map || value instanceof Set)
    return `${value.constructor.name}(${value.size})`;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    text = undefined; // A bigint or a cycle: JSON has no form for it, the encoding may well have.
  }
  text ??= String(value);
  return text.length > CONSTANT_CHARS_MAX ? `${text.slice(0, CONSTANT_CHARS_MAX - 1)}…` : text;
}
