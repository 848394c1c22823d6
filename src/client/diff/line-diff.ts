/** The lines in which two texts differ: Myers' shortest script, as far as it is short enough to be read. */

/** Lines of either text that are looked at. */
export const DIFF_LINES_MAX = 20_000;
/** Lines added and removed beyond which only their number is told: the work grows with its square. */
export const DIFF_EDITS_MAX = 400;

export interface LineDiff {
  readonly added: number;
  readonly removed: number;
  /** `-` or `+`, the line, both in order; empty where there are too many. */
  readonly lines: readonly string[];
  /** Not everything was looked at. */
  readonly isCut: boolean;
}

export function diffLines(a: string, b: string): LineDiff {
  const left = linesOf(a);
  const right = linesOf(b);
  let begin = 0;
  const shorter = Math.min(left.length, right.length);
  while (begin < shorter && left[begin] === right[begin]) begin++;
  let end = 0;
  while (end < shorter - begin && left[left.length - 1 - end] === right[right.length - 1 - end])
    end++;
  const old = left.slice(begin, left.length - end);
  const now = right.slice(begin, right.length - end);
  const isCut = left.length >= DIFF_LINES_MAX || right.length >= DIFF_LINES_MAX;
  const lines = shortestScript(old, now);
  if (lines === undefined) return { ...countLines(old, now), lines: [], isCut: true };
  const added = lines.filter((line) => line.startsWith("+")).length;
  return { added, removed: lines.length - added, lines, isCut };
}

function linesOf(text: string): string[] {
  return text.split("\n", DIFF_LINES_MAX);
}

/** Added and removed as multisets: an upper bound's cheap neighbour where the script is too long. */
function countLines(
  old: readonly string[],
  now: readonly string[],
): Pick<LineDiff, "added" | "removed"> {
  const counts = new Map<string, number>();
  for (const line of old) counts.set(line, (counts.get(line) ?? 0) + 1);
  let added = 0;
  for (const line of now) {
    const left = counts.get(line) ?? 0;
    if (left > 0) counts.set(line, left - 1);
    else added++;
  }
  return { added, removed: old.length - (now.length - added) };
}

/** Undefined where more than DIFF_EDITS_MAX lines differ. */
function shortestScript(old: readonly string[], now: readonly string[]): string[] | undefined {
  const most = Math.min(old.length + now.length, DIFF_EDITS_MAX);
  const furthest = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(new Map(furthest));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const isDown = goesDown(furthest, diagonal, edits);
      let x = isDown ? (furthest.get(diagonal + 1) ?? 0) : (furthest.get(diagonal - 1) ?? 0) + 1;
      while (x < old.length && x - diagonal < now.length && old[x] === now[x - diagonal]) x++;
      furthest.set(diagonal, x);
      if (x >= old.length && x - diagonal >= now.length) return backtrack(trace, old, now);
    }
  }
  return undefined;
}

function goesDown(furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  if (diagonal === -edits) return true;
  if (diagonal === edits) return false;
  return (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1);
}

function backtrack(
  trace: readonly ReadonlyMap<number, number>[],
  old: readonly string[],
  now: readonly string[],
): string[] {
  const script: string[] = [];
  let x = old.length;
  let y = now.length;
  for (let edits = trace.length - 1; edits > 0; edits--) {
    const furthest = trace[edits] ?? new Map<number, number>();
    const diagonal = x - y;
    const isDown = goesDown(furthest, diagonal, edits);
    const before = isDown ? diagonal + 1 : diagonal - 1;
    const fromX = furthest.get(before) ?? 0;
    if (isDown) script.push(`+${now[fromX - before] ?? ""}`);
    else script.push(`-${old[fromX] ?? ""}`);
    x = fromX;
    y = fromX - before;
  }
  return script.reverse();
}
