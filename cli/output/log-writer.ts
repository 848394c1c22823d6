/** Lines on their way out: filtered, and the first lot (what was there when the command began) cut to its last lines. */
export interface LogWriterOptions<Line> {
  readonly isWanted: (line: Line) => boolean;
  readonly write: (line: Line) => void;
  /** Of what is there already, only so many. */
  readonly tail?: number | undefined;
}

export class LogWriter<Line> {
  readonly #options: LogWriterOptions<Line>;
  /** The last lines of the first lot; undefined once that is written. */
  #first: Line[] | undefined;
  #written = 0;

  constructor(options: LogWriterOptions<Line>) {
    this.#options = options;
    if (options.tail !== undefined) this.#first = [];
  }

  /** Nothing was written. */
  get isSilent(): boolean {
    return this.#written === 0;
  }

  add(lines: readonly Line[]): void {
    for (const line of lines) {
      if (!this.#options.isWanted(line)) continue;
      if (this.#first === undefined) this.#write(line);
      else this.#keep(this.#first, line);
    }
  }

  endFirst(): void {
    const first = this.#first ?? [];
    this.#first = undefined;
    for (const line of first.slice(Math.max(0, first.length - (this.#options.tail ?? 0))))
      this.#write(line);
  }

  #keep(first: Line[], line: Line): void {
    first.push(line);
    const tail = this.#options.tail ?? 0;
    // Twice what is wanted, so that cutting is rare.
    if (first.length > 2 * tail + 64) first.splice(0, first.length - tail);
  }

  #write(line: Line): void {
    this.#written += 1;
    this.#options.write(line);
  }
}
