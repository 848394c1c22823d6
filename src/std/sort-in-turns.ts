/** Sorts many items without holding up the event loop: in short pieces, with a turn for others in between. */
import { setImmediate as nextTurn } from "node:timers/promises";

/** Items sorted, or merged, between two turns: about a millisecond. */
const PIECE = 512;
const MERGED = 4_096;

/** Stable, as Array.prototype.sort. */
export async function sortInTurns<T>(
  items: Iterable<T>,
  compare: (a: T, b: T) => number,
): Promise<T[]> {
  let pieces: T[][] = [];
  let piece: T[] = [];
  for (const item of items) {
    piece.push(item);
    if (piece.length < PIECE) continue;
    pieces.push(piece.sort(compare));
    piece = [];
    await nextTurn();
  }
  if (piece.length > 0) pieces.push(piece.sort(compare));
  while (pieces.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < pieces.length; at += 2)
      merged.push(await merge(pieces[at] ?? [], pieces[at + 1] ?? [], compare));
    pieces = merged;
  }
  return pieces[0] ?? [];
}

async function merge<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
): Promise<T[]> {
  const merged: T[] = [];
  let left = 0;
  let right = 0;
  while (left < a.length || right < b.length) {
    const isLeft =
      right >= b.length || (left < a.length && compare(a[left] as T, b[right] as T) <= 0);
    merged.push((isLeft ? a[left++] : b[right++]) as T);
    if (merged.length % MERGED === 0) await nextTurn();
  }
  return merged;
}
