/** Invariants that hold in production too. A failed one is a programmer's error: never catch it. */
export function assert(condition: unknown, message = "invariant"): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}

/** The value, or a failed assertion: for look-ups that cannot miss. */
export function defined<T>(value: T | undefined | null, message = "defined"): T {
  assert(value !== undefined && value !== null, message);
  return value;
}

class AssertionError extends Error {
  override readonly name = "AssertionError";
}
