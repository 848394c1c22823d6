/** `mf note`: writes a note on a run, or prints it. JSON: {"run","note","by","at"}, the last three null where it has none. */
import { runText } from "../../src/model/ids.ts";
import { MfError } from "../../src/model/errors.ts";
import { isSet, NOTE_CHARS_MAX } from "../../src/model/mark.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withMarks } from "../compose.ts";
import { withoutControls } from "../output/text-width.ts";
import { userName } from "../../src/client/user-name.ts";

export interface NoteOptions extends CommonOptions {
  readonly remove?: boolean;
}

export async function noteCommand(
  context: CommandContext,
  { run: target, words }: { readonly run: string; readonly words: readonly string[] },
  options: NoteOptions,
): Promise<number> {
  const usage = (message: string): MfError => new MfError("USAGE", { message, command: "note" });
  if (options.remove === true && words.length > 0) throw usage("--remove takes no text.");
  const isStdin = words.length === 1 && words[0] === "-";
  const given = words.length === 0 ? undefined : isStdin ? await standardInput() : words.join(" ");
  const text = given?.trimEnd();
  if (text === "") throw usage("The note is empty: --remove takes a note off.");
  return withMarks(context, async ({ readSide, mark }) => {
    const on = runText((await readSide.run(target)).run);
    const change = { kind: "note", on, name: "", user: userName() } as const;
    if (options.remove === true) await mark([change]);
    else if (text !== undefined) await mark([{ ...change, value: text }]);
    const isChange = text !== undefined || options.remove === true;
    const found = (await readSide.marks()).find(
      (entry) => entry.kind === "note" && entry.on === on && isSet(entry),
    );
    if (options.json === true) {
      const { value = null, by = null, at = null } = found ?? {};
      writeJson(context, { run: on, note: value, by, at });
    } else if (!isChange && found === undefined) context.terminal.err(`${on} has no note\n`);
    else if (!isChange) context.terminal.out(`${withoutControls(found?.value ?? "")}\n`);
    return 0;
  });
}

/** One character more than fits is enough to say that it does not. */
async function standardInput(): Promise<string> {
  let text = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) {
    text += String(chunk);
    if (text.length > 2 * NOTE_CHARS_MAX) break;
  }
  return text;
}
