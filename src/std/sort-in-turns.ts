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

/** What lies wholly before or behind the other list is taken over as it is: lists that are nearly in order cost next to nothing. */
async function merge<T>(
  a: readonly T[],
  b: readonly T[],
  compare: (a: T, b: T) => number,
): Promise<T[]> {
  const [first] = b;
  const last = a.at(-1);
  if (first === undefined || last === undefined) return a.concat(b);
  let left = firstWhere(a, (item) => compare(item, first) > 0);
  const end = firstWhere(b, (item) => compare(last, item) <= 0);
  const merged = a.slice(0, left);
  let right = 0;
  while (left < a.length || right < end) {
    const isLeft = right >= end || (left < a.length && compare(a[left] as T, b[right] as T) <= 0);
    merged.push((isLeft ? a[left++] : b[right++]) as T);
    if (merged.length % MERGED === 0) await nextTurn();
  }
  return merged.concat(b.slice(end));
}

/** Of a sorted list: the first place from which on it holds. */
function firstWhere<T>(list: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(list[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
