/** Replacements in a text, and how places before and after them correspond. */
export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Offsets of line starts, to turn (line, column) into an offset and back. */
export class LineIndex {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1))
      this.#starts.push(at + 1);
  }

  offsetOf(line: number, column: number): number {
    return (this.#starts[line] ?? 0) + column;
  }

  /** Line and column, both from 0. */
  placeOf(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low, column: offset - (this.#starts[low] ?? 0) };
  }
}

export class EditedText {
  readonly text: string;
  readonly #edits: readonly TextEdit[];
  readonly #before: LineIndex;
  readonly #after: LineIndex;

  constructor(source: string, edits: readonly TextEdit[]) {
    this.#edits = [...edits].sort((a, b) => a.start - b.start);
    let text = "";
    let position = 0;
    for (const edit of this.#edits) {
      text += source.slice(position, edit.start) + edit.text;
      position = edit.end;
    }
    this.text = text + source.slice(position);
    this.#before = new LineIndex(source);
    this.#after = new LineIndex(this.text);
  }

  /** Offset in the source of a place (from 0) of the edited text. */
  sourceOffset(line: number, column: number): number {
    let offset = this.#after.offsetOf(line, column);
    for (const edit of this.#edits) {
      if (offset < edit.start) break;
      if (offset < edit.start + edit.text.length) return edit.start;
      offset += edit.end - edit.start - edit.text.length;
    }
    return offset;
  }

  sourcePlace(line: number, column: number): { line: number; column: number } {
    return this.#before.placeOf(this.sourceOffset(line, column));
  }
}
