/**
 * `mf pin`: keeps runs and contents from being collected. JSON: [{"on","as","by","at"}], the pins that were asked for, or all; `as` is
 * what a content was called when it was pinned.
 */
import type { MarkChange } from "../../src/client/control/daemon-side.ts";
import type { ReadSide } from "../../src/client/control/read-side.ts";
import { MfError } from "../../src/model/errors.ts";
import { runText } from "../../src/model/ids.ts";
import { isSet, type Mark } from "../../src/model/mark.ts";
import { parsePathspec } from "../../src/model/pathspec.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withMarks } from "../compose.ts";
import { ageText, countText, isoTime } from "../output/format.ts";
import { writeTable } from "../output/table.ts";
import { userName } from "../../src/client/user-name.ts";

export interface PinOptions extends CommonOptions {
  readonly remove?: boolean;
}

/** Of one command: all artifacts of a large foreach. */
const PINS_MAX = 2_048;

export async function pinCommand(
  context: CommandContext,
  what: string | undefined,
  options: PinOptions,
): Promise<number> {
  if (what === undefined && options.remove === true)
    throw new MfError("USAGE", { message: "Which pin? `mf pin` lists them.", command: "pin" });
  return withMarks(context, async ({ readSide, mark }) => {
    const wanted = what === undefined ? undefined : await pinsOf(readSide, what);
    if (wanted !== undefined) await change(mark, wanted, options);
    const pins = (await readSide.marks()).filter(
      (entry) =>
        entry.kind === "pin" && isSet(entry) && (wanted === undefined || wanted.has(entry.on)),
    );
    show(context, { pins, wanted }, options);
    return 0;
  });
}

/** What is pinned -> what it is called. */
async function pinsOf(readSide: ReadSide, what: string): Promise<Map<string, string>> {
  const spec = parsePathspec(what);
  if (spec.k === "flow" && spec.run === undefined)
    throw new MfError("PATHSPEC_INVALID", {
      text: what,
      reason: "a flow as a whole cannot be pinned, a run of it can",
    });
  if (spec.k === "flow" && spec.step === undefined)
    return new Map([[runText((await readSide.run(what)).run), ""]]);
  const resolved = await readSide.resolve(what);
  if (resolved.kind === "content") return new Map([[`c:${resolved.id}`, ""]]);
  const artifacts = resolved.kind === "artifact" ? [resolved.artifact] : resolved.artifacts;
  return new Map(artifacts.map(({ ref, pathspec }) => [`c:${ref.id}`, pathspec]));
}

async function change(
  mark: (changes: readonly MarkChange[]) => Promise<readonly Mark[]>,
  wanted: ReadonlyMap<string, string>,
  { remove = false }: PinOptions,
): Promise<void> {
  const user = userName();
  if (wanted.size > PINS_MAX)
    throw new MfError("USAGE", {
      message: `That names ${wanted.size} artifacts; at most ${PINS_MAX} are pinned at once. Pin the run instead.`,
      command: "pin",
    });
  await mark(
    [...wanted].map(([on, as]) => {
      const pin = { kind: "pin", on, name: "", user } as const;
      return remove ? pin : { ...pin, value: as };
    }),
  );
}

interface Shown {
  readonly pins: readonly Mark[];
  /** Undefined: all were asked for. */
  readonly wanted: ReadonlyMap<string, string> | undefined;
}

function show(context: CommandContext, { pins, wanted }: Shown, options: PinOptions): void {
  const { terminal, clock } = context;
  if (options.json === true) {
    writeJson(
      context,
      pins.map(({ on, value, by, at }) => ({ on, as: value ?? "", by, at })),
    );
    return;
  }
  if (wanted !== undefined) {
    const [first = ""] = wanted.keys();
    const name = wanted.size === 1 ? first : countText(wanted.size, "artifact");
    const kept = wanted.size === 1 ? "is kept" : "are kept";
    terminal.out(`${name} ${options.remove === true ? "may be collected again" : kept}\n`);
    return;
  }
  if (pins.length === 0) terminal.err("nothing is pinned\n");
  const now = clock.now();
  writeTable(terminal, pins, [
    { title: "pin", text: ({ on }) => on },
    { title: "as", text: ({ value }) => value ?? "" },
    { title: "by", text: ({ by }) => by },
    { title: "at", text: ({ at }) => ageText(at, now), raw: ({ at }) => isoTime(at) },
  ]);
}
