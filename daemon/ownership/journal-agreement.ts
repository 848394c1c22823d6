/**
 * How far two copies of a journal are the same. An owner only ever appends to its own span, so two copies that have a span in
 * common agree as far as both have it; nothing has to be compared entry by entry.
 */
import type { RunOwner } from "../../src/model/journal.ts";
import type { JournalSpan, JournalView } from "../../src/wire/ownership-protocol.ts";

type OwnerOrder = Pick<RunOwner, "ballot" | "peer">;

/** Two peers may claim the same ballot on two sides of a partition; the larger name wins then. */
export function compareOwners(a: OwnerOrder, b: OwnerOrder): number {
  if (a.ballot !== b.ballot) return a.ballot - b.ballot;
  return a.peer === b.peer ? 0 : a.peer < b.peer ? -1 : 1;
}

/** Length of what both have. */
export function agreement(
  a: Pick<JournalView, "length" | "spans">,
  b: Pick<JournalView, "length" | "spans">,
): number {
  let shared = 0;
  for (; ; shared++) {
    const [mine, theirs] = [a.spans[shared], b.spans[shared]];
    if (mine === undefined || theirs === undefined || !isSameSpan(mine, theirs)) break;
    if (mine.from >= a.length || mine.from >= b.length) break;
  }
  if (shared === 0) return 0;
  const endOf = ({ length, spans }: Pick<JournalView, "length" | "spans">): number =>
    Math.min(spans[shared]?.from ?? length, length);
  return Math.min(endOf(a), endOf(b));
}

/** Has `a` what `b` must give way to: a later owner's entries, or more of the same owner's. */
export function isAhead(a: JournalView, b: JournalView): boolean {
  const [mine, theirs] = [a.spans.at(-1), b.spans.at(-1)];
  if (mine === undefined) return false;
  const order = theirs === undefined ? 1 : compareOwners(mine, theirs);
  return order > 0 || (order === 0 && a.length > b.length);
}

/** A later owner is known than the copy has: it must give way before it counts for anything. */
export function isOutdated({ spans }: Pick<JournalView, "spans">, by: OwnerOrder): boolean {
  const last = spans.at(-1);
  return last !== undefined && compareOwners(last, by) < 0;
}

function isSameSpan(a: JournalSpan, b: JournalSpan): boolean {
  return a.ballot === b.ballot && a.peer === b.peer && a.from === b.from;
}
