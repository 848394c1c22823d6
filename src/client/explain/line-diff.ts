/** What changed between two texts, line by line: the shortest edit (Myers), with a few lines of context around each change. */
export interface DiffLine {
  readonly sign: " " | "+" | "-";
  readonly text: string;
  /** Position among the lines before (of "-" and " ") or after (of "+"), from 0. */
  readonly at: number;
}

/** Beyond this many differing lines nobody reads a diff, and its cost grows with their square: told as all out, all in. */
const EDITS_MAX = 400;

/** Every line of both, in order. */
export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  const head = commonHead(before, after);
  const tail = commonTail(before, after, head);
  const old = before.slice(head, before.length - tail);
  const next = after.slice(head, after.length - tail);
  const same = (from: number, count: number): DiffLine[] =>
    before.slice(from, from + count).map((text, at) => ({ sign: " ", text, at: from + at }));
  const middle = shortestEdit(old, next).map((line) => ({ ...line, at: line.at + head }));
  return [...same(0, head), ...middle, ...same(before.length - tail, tail)];
}

/** Only the changes, each with `context` lines around it; a hole between two of them is one undefined. */
export function hunksOf(lines: readonly DiffLine[], context: number): (DiffLine | undefined)[] {
  const isShown = lines.map(() => false);
  for (const [at, { sign }] of lines.entries()) {
    if (sign === " ") continue;
    isShown.fill(true, Math.max(0, at - context), Math.min(lines.length, at + context + 1));
  }
  const shown: (DiffLine | undefined)[] = [];
  for (const [at, line] of lines.entries()) {
    if (isShown[at] === true) shown.push(line);
    else if (shown.length > 0 && shown.at(-1) !== undefined) shown.push(undefined);
  }
  if (shown.at(-1) === undefined) shown.pop();
  return shown;
}

function commonHead(a: readonly string[], b: readonly string[]): number {
  let count = 0;
  while (count < a.length && count < b.length && a[count] === b[count]) count++;
  return count;
}

function commonTail(a: readonly string[], b: readonly string[], head: number): number {
  let count = 0;
  const max = Math.min(a.length, b.length) - head;
  while (count < max && a[a.length - 1 - count] === b[b.length - 1 - count]) count++;
  return count;
}

/** Myers' greedy algorithm: how far each diagonal reaches with d edits; then the way back. */
function shortestEdit(a: readonly string[], b: readonly string[]): DiffLine[] {
  const reached: Map<number, number>[] = [];
  const ends = new Map<number, number>([[1, 0]]);
  for (let edits = 0; edits <= Math.min(EDITS_MAX, a.length + b.length); edits++) {
    reached.push(new Map(ends));
    for (let k = -edits; k <= edits; k += 2) {
      let x = startOn(ends, k, edits);
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      ends.set(k, x);
      if (x >= a.length && x - k >= b.length) return wayBack(a, b, reached);
    }
  }
  return [
    ...a.map((text, at): DiffLine => ({ sign: "-", text, at })),
    ...b.map((text, at): DiffLine => ({ sign: "+", text, at })),
  ];
}

/** Down from the diagonal above, or right from the one below: whichever is farther. */
function startOn(ends: ReadonlyMap<number, number>, k: number, edits: number): number {
  return comesDown(ends, k, edits) ? (ends.get(k + 1) ?? 0) : (ends.get(k - 1) ?? 0) + 1;
}

function comesDown(ends: ReadonlyMap<number, number>, k: number, edits: number): boolean {
  return k === -edits || (k !== edits && (ends.get(k - 1) ?? -1) < (ends.get(k + 1) ?? -1));
}

function wayBack(
  a: readonly string[],
  b: readonly string[],
  reached: readonly ReadonlyMap<number, number>[],
): DiffLine[] {
  const lines: DiffLine[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = reached.length - 1; edits >= 0; edits--) {
    const ends = reached[edits] ?? new Map<number, number>();
    const k = x - y;
    const isDown = comesDown(ends, k, edits);
    const before = edits === 0 ? 0 : (ends.get(isDown ? k + 1 : k - 1) ?? 0);
    const startX = edits === 0 ? 0 : isDown ? before : before + 1;
    while (x > startX) lines.push({ sign: " ", text: a[--x] ?? "", at: x });
    y = x - k;
    if (edits === 0) break;
    if (isDown) lines.push({ sign: "+", text: b[--y] ?? "", at: y });
    else lines.push({ sign: "-", text: a[--x] ?? "", at: x });
  }
  return lines.reverse();
}
