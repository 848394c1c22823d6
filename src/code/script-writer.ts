/** Puts a script together from pieces of the bundle, remembering where each piece was written. */
import type { FlowModule } from "./flow-module.ts";
import { encodeSourceMap, type Segment } from "./source-map.ts";
import type { TextEdit } from "./text-edits.ts";

export class ScriptWriter {
  readonly #module: FlowModule;
  readonly #edits: readonly TextEdit[];
  readonly #lines: Segment[][] = [[]];
  #text = "";
  #column = 0;

  readonly #isMapped: boolean;

  /** `edits` are sorted by start and do not overlap. A script of packages, which may be large, is not mapped. */
  constructor(module: FlowModule, edits: readonly TextEdit[], isMapped = true) {
    this.#module = module;
    this.#edits = edits;
    this.#isMapped = isMapped;
  }

  write(text: string): this {
    this.#text += text;
    if (!this.#isMapped) return this;
    for (let at = text.indexOf("\n"), from = 0; ; from = at + 1, at = text.indexOf("\n", from)) {
      if (at < 0) {
        this.#column += text.length - from;
        return this;
      }
      this.#lines.push([]);
      this.#column = 0;
    }
  }

  /** Copies a part of the bundle, edits applied. */
  copy(start: number, end: number): this {
    let position = start;
    for (const edit of this.#editsBetween(start, end)) {
      this.#copyPlain(position, edit.start);
      this.write(edit.text);
      position = edit.end;
    }
    return this.#copyPlain(position, end);
  }

  get text(): string {
    return this.#text;
  }

  sourceMap(): string {
    return encodeSourceMap(this.#module.map.sources, this.#lines);
  }

  #editsBetween(start: number, end: number): readonly TextEdit[] {
    let low = 0;
    let high = this.#edits.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#edits[middle]?.start ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    const found: TextEdit[] = [];
    for (
      let edit = this.#edits[low];
      edit !== undefined && edit.end <= end;
      edit = this.#edits[(low += 1)]
    )
      found.push(edit);
    return found;
  }

  #copyPlain(start: number, end: number): this {
    if (!this.#isMapped) return this.write(this.#module.bundle.text.slice(start, end));
    let from = start;
    for (const line of this.#module.bundle.text.slice(start, end).split(/(?<=\n)/)) {
      const place = this.#module.lines.placeOf(from);
      const segments = this.#module.map.segmentsBetween(
        place.line,
        place.column,
        place.column + line.length,
      );
      const shift = this.#column - place.column;
      for (const [column, ...rest] of segments) this.#lines.at(-1)?.push([column + shift, ...rest]);
      this.write(line);
      from += line.length;
    }
    return this;
  }
}
