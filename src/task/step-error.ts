/** What a step threw, as a record: its message, and a stack that begins with the user's frames at the user's lines. */
import { mapSliceStack, sliceName } from "../code/evaluate-slice.ts";
import type { ScriptCode } from "../code/flow-package.ts";
import type { ErrorRecord } from "../model/errors.ts";
import { isMfError, toErrorRecord } from "../model/errors.ts";
import { STACK_CHARS_MAX } from "./task-limits.ts";

export function stepErrorRecord(thrown: unknown, step: string, code?: ScriptCode): ErrorRecord {
  if (isMfError(thrown)) return toErrorRecord(thrown);
  const { name, message, stack } = describe(thrown);
  const frames = userFrames(stack, code);
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
        name: `${name ?? "Error"}`,
        message: `${message}`,
        stack: `${stack ?? ""}`,
      };
    }
    return { name: "Error", message: `threw ${String(thrown)}`, stack: "" };
  } catch {
    return { name: "Error", message: "threw a value that cannot be shown", stack: "" };
  }
}

/** The user's frames at the user's places, then those of packages that stand above or between them; ours are left out. */
function userFrames(stack: string, code: ScriptCode | undefined): string[] {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  if (code === undefined) return frames.filter((line) => !isOurs(line));
  const name = `${sliceName(code)}:`;
  const last = frames.findLastIndex((line) => line.includes(name));
  // Below the user's last frame there are only ours.
  const kept = last < 0 ? frames.filter((line) => !isOurs(line)) : frames.slice(0, last + 1);
  const mapped = kept.map((line) => ({
    isUser: line.includes(name),
    line: mapSliceStack(code, line),
  }));
  const isUser = (frame: (typeof mapped)[number]): boolean =>
    frame.isUser && !frame.line.includes("node_modules/");
  return [...mapped.filter(isUser), ...mapped.filter((frame) => !isUser(frame))].map(
    (frame) => frame.line,
  );
}

function isOurs(line: string): boolean {
  return /[\\/](src|dist)[\\/](src[\\/])?(task|engine|code)[\\/]|node:internal|piscina/.test(line);
}
