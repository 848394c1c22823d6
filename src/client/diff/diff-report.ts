/** What `mf diff` tells, as data: sections of items, each the same in both, changed, or only in one. */
import type { ValueDiff } from "./diff-text.ts";

export type Change = "same" | "changed" | "only-a" | "only-b";

export interface DiffItem extends Partial<ValueDiff> {
  readonly name: string;
  readonly change: Change;
  /** What stands there, in a few words. */
  readonly a?: string;
  readonly b?: string;
}

export interface DiffSection {
  /** `parameters`, `seed`, `code`, `environment`, `versions`, `sources`, `inputs`, `artifacts`, `value`. */
  readonly name: string;
  /** How many are the same: they are among the items only where all were asked for. */
  readonly same: number;
  readonly items: readonly DiffItem[];
}

export interface DiffReport {
  readonly a: string;
  readonly b: string;
  readonly same: boolean;
  readonly sections: readonly DiffSection[];
  /** What was not looked at, in sentences. */
  readonly notes: readonly string[];
}

export interface Compared {
  /** Two things with one identity are the same. */
  readonly identity: string;
  readonly text: string;
}

/** Compares by name, in the order of a, then what only b has. */
export function compareNamed(
  a: ReadonlyMap<string, Compared>,
  b: ReadonlyMap<string, Compared>,
): DiffItem[] {
  const items: DiffItem[] = [];
  for (const [name, old] of a) {
    const now = b.get(name);
    if (now === undefined) items.push({ name, change: "only-a", a: old.text });
    else {
      const change = old.identity === now.identity ? "same" : "changed";
      items.push({ name, change, a: old.text, b: now.text });
    }
  }
  for (const [name, now] of b)
    if (!a.has(name)) items.push({ name, change: "only-b", b: now.text });
  return items;
}

export function sectionOf(name: string, items: readonly DiffItem[], isAll: boolean): DiffSection {
  const same = items.filter((item) => item.change === "same").length;
  return { name, same, items: isAll ? items : items.filter((item) => item.change !== "same") };
}
