/** Values of options, read strictly: a typo is a usage error and not another value. */
import { InvalidArgumentError } from "commander";
import { parseDurationText } from "./output/format.ts";

/** An option that may be repeated. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

export function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new InvalidArgumentError("It must be a whole number from 1.");
  return Number(text);
}

export function nonNegativeInteger(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number from 0.");
  return Number(text);
}

export function duration(text: string): number {
  const ms = parseDurationText(text);
  if (ms === undefined) throw new InvalidArgumentError("Write it as 90s, 10m, 2h or 1d.");
  return ms;
}

export function labels(value: string, before: readonly string[] = []): string[] {
  if (!/^[\w.-]{1,64}(=[\w.-]{0,64})?$/.test(value))
    throw new InvalidArgumentError("Write a label as name or name=value.");
  return [...before, value];
}

/** Names with commas between, each one of `known`; `all` is every one. */
export function listOf<T extends string>(
  option: string,
  known: readonly T[],
): (text: string) => readonly T[] {
  return (text) => {
    if (text === "all") return known;
    return text.split(",").map((name) => {
      const found = known.find((entry) => entry === name.trim());
      if (found === undefined)
        throw new InvalidArgumentError(
          `${option} knows ${known.join(", ")}; "${name}" is none of them.`,
        );
      return found;
    });
  };
}
