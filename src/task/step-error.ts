/** What a step threw, as a record: its message, and a stack that begins with the user's frames at the user's lines. */
import { SourceMap } from "node:module";
import type { ErrorRecord } from "../model/errors.ts";
import { isMfError, toErrorRecord } from "../model/errors.ts";
import { STACK_CHARS_MAX } from "./task-limits.ts";

/** File name under which slices are compiled: frames of it are the user's. */
export function sliceFileName(step: string): string {
  return `meshflow-step:${step}`;
}

export function stepErrorRecord(thrown: unknown, step: string, sourceMap?: string): ErrorRecord {
  if (isMfError(thrown)) return toErrorRecord(thrown);
  const { name, message, stack } = describe(thrown);
  const frames = userFrames(stack, step, sourceMap);
  return {
    code: "STEP_THREW",
    details: { step, name, message },
    stack: [`${name}: ${message}`, ...frames].join("\n").slice(0, STACK_CHARS_MAX),
  };
}

/** A thrown value may be hostile: a getter that throws, a Proxy, no prototype. */
function describe(thrown: unknown): { name: string; message: string; stack: string } {
  try {
    if (typeof thrown === "object" && thrown !== null && "message" in thrown) {
      const { name, message, stack } = thrown as Partial<Error>;
      return {
        name: String(name ?? "Error"),
        message: String(message),
        stack: String(stack ?? ""),
      };
    }
    return { name: "Error", message: `threw ${String(thrown)}`, stack: "" };
  } catch {
    return { name: "Error", message: "threw a value that cannot be shown", stack: "" };
  }
}

function userFrames(stack: string, step: string, sourceMap?: string): string[] {
  const file = sliceFileName(step);
  const map = sourceMap === undefined ? undefined : parseMap(sourceMap);
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  const last = frames.findLastIndex((line) => line.includes(file));
  // Below the user's last frame there are only ours.
  const kept = last < 0 ? frames.filter((line) => !isOurs(line)) : frames.slice(0, last + 1);
  return kept.map((line) => mapFrame(line, file, map));
}

function isOurs(line: string): boolean {
  return /[\\/](src|dist)[\\/](src[\\/])?(task|engine)[\\/]|node:internal|piscina/.test(line);
}

function mapFrame(line: string, file: string, map: SourceMap | undefined): string {
  const at = line.indexOf(`${file}:`);
  if (at < 0 || map === undefined) return line;
  const place = /^(\d+):(\d+)/.exec(line.slice(at + file.length + 1));
  if (place === null) return line;
  const entry = map.findEntry(Number(place[1]) - 1, Number(place[2]) - 1);
  if (!("originalSource" in entry)) return line;
  const original = `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  return line.slice(0, at) + original + line.slice(at + file.length + 1 + place[0].length);
}

function parseMap(text: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(text) as ConstructorParameters<typeof SourceMap>[0]);
  } catch {
    return undefined;
  }
}
