/** Source maps, both ways: where a place of the bundle was written, and a map for a script cut out of the bundle. */
export interface SourcePlace {
  /** Relative to the flow file's directory. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** [generated column, source, line, column], all from 0. */
export type Segment = readonly [number, number, number, number];

interface RawMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Map(Array.from(DIGITS).map((digit, value) => [digit, value]));

export class SourceMap {
  readonly sources: readonly string[];
  readonly #lines: readonly (readonly Segment[])[];

  constructor(json: string) {
    const raw = JSON.parse(json) as RawMap;
    this.sources = raw.sources;
    this.#lines = decode(raw.mappings);
  }

  /** `line` and `column` from 0. The nearest mapping at or before the place, on its line. */
  find(line: number, column: number): SourcePlace | undefined {
    const segments = this.#lines[line] ?? [];
    const [, source, sourceLine, sourceColumn] =
      segments.findLast((item) => item[0] <= column) ?? segments[0] ?? [];
    if (source === undefined || sourceLine === undefined || sourceColumn === undefined)
      return undefined;
    return { file: this.sources[source] ?? "", line: sourceLine + 1, column: sourceColumn + 1 };
  }

  segmentsBetween(line: number, from: number, to: number): readonly Segment[] {
    return (this.#lines[line] ?? []).filter((item) => item[0] >= from && item[0] < to);
  }
}

function decode(mappings: string): Segment[][] {
  const state = [0, 0, 0, 0];
  return mappings.split(";").map((line) => {
    state[0] = 0;
    const segments: Segment[] = [];
    for (const text of line === "" ? [] : line.split(",")) {
      const numbers = decodeNumbers(text);
      for (const [index, delta] of numbers.slice(0, 4).entries())
        state[index] = (state[index] ?? 0) + delta;
      const [column = 0, source = 0, sourceLine = 0, sourceColumn = 0] = state;
      if (numbers.length >= 4) segments.push([column, source, sourceLine, sourceColumn]);
    }
    return segments;
  });
}

function decodeNumbers(text: string): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const digit of text) {
    const bits = VALUES.get(digit) ?? 0;
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return numbers;
}

/** A source map, JSON text, of a generated script. */
export function encodeSourceMap(
  sources: readonly string[],
  lines: readonly (readonly Segment[])[],
): string {
  const last = [0, 0, 0, 0];
  const mappings = lines.map((segments) => {
    last[0] = 0;
    return segments.map((segment) => encodeSegment(segment, last)).join(",");
  });
  return JSON.stringify({ version: 3, sources, names: [], mappings: mappings.join(";") });
}

function encodeSegment(segment: Segment, last: number[]): string {
  let text = "";
  for (const [index, number] of segment.entries()) {
    text += encodeNumber(number - (last[index] ?? 0));
    last[index] = number;
  }
  return text;
}

function encodeNumber(number: number): string {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1;
  let text = "";
  do {
    const bits = rest & 31;
    rest >>>= 5;
    text += DIGITS[rest > 0 ? bits | 32 : bits] ?? "";
  } while (rest > 0);
  return text;
}
