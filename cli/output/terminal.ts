/** What the two output streams can do: are they terminals, may they be coloured, how wide are they. Decided once, from the environment. */
import process from "node:process";

export interface Terminal {
  /** Results go to a person's terminal (tables, colours) or to a pipe (TSV, plain). */
  readonly isOutTty: boolean;
  /** Progress may repaint lines. */
  readonly isLive: boolean;
  readonly colourOut: boolean;
  readonly colourErr: boolean;
  readonly width: () => number;
  readonly rows: () => number;
  out(text: string): void;
  err(text: string): void;
}

export interface StreamFacts {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
}

const WIDTH_DEFAULT = 80;
const ROWS_DEFAULT = 24;

export function detectTerminal(env: NodeJS.ProcessEnv = process.env): Terminal {
  const isOutTty = isTerminal(process.stdout);
  const isErrTty = isTerminal(process.stderr);
  return {
    isOutTty,
    isLive: isErrTty && env["TERM"] !== "dumb" && !isSet(env["CI"]),
    colourOut: mayColour(env, process.stdout),
    colourErr: mayColour(env, process.stderr),
    width: () => sizeOf(process.stderr.columns, process.stdout.columns) ?? WIDTH_DEFAULT,
    rows: () => sizeOf(process.stderr.rows) ?? ROWS_DEFAULT,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  };
}

function isTerminal(stream: StreamFacts): boolean {
  return stream.isTTY === true;
}

/** A terminal that was never told its size says 0. */
function sizeOf(...sizes: readonly (number | undefined)[]): number | undefined {
  return sizes.find((size) => size !== undefined && size > 0);
}

/** NO_COLOR wins over FORCE_COLOR, both over what the stream is. */
export function mayColour(env: NodeJS.ProcessEnv, stream: StreamFacts): boolean {
  if (isSet(env["NO_COLOR"])) return false;
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  return stream.isTTY === true && env["TERM"] !== "dumb";
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/** Resolves once what was written to both streams has left this process, so that exiting loses nothing. */
export async function flushStreams(): Promise<void> {
  await Promise.all(
    [process.stdout, process.stderr].map(
      (stream) => new Promise<void>((resolve) => stream.write("", () => resolve())),
    ),
  );
}
