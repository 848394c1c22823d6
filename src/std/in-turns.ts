/** Does something for every item, a few at a time. */

/** Results in the order of `items`. Stops at the first failure, once what was begun has ended. */
export async function inTurns<T, R>(
  items: readonly T[],
  atOnce: number,
  act: (item: T, at: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const at = next++;
      try {
        results[at] = await act(items[at] as T, at);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  // oxlint-disable-next-line typescript/only-throw-error -- what was thrown is thrown on
  if (failure !== undefined) throw failure.error;
  return results;
}
