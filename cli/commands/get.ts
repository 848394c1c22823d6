/**
 * `mf get`: an artifact, a source or a content, verified by its hash. Prints JSON; with -o it writes files, whole or not at all: bytes and
 * files as they are, `.csv` and `.npy` as their names say, into a directory one file for each artifact, everything else as JSON.
 * `--as directory --json` and `-o DIR --json` print {"directory","files":[…]}.
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Records } from "../../src/client/records.ts";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { formed, formOf, type FileForm, type Formed, type ValueForm } from "../get/forms.ts";
import { saveDirectory } from "../get/save-directory.ts";
import { saveFile, type Saving } from "../get/save-file.ts";
import { fileOf, filesOf, findTarget, valueOf, type Target } from "../get/target.ts";
import { listenForInterrupt } from "../interrupt.ts";
import { saidWhy } from "../missing-data.ts";
import { bytesText, durationText } from "../output/format.ts";

export interface GetOptions extends CommonOptions {
  readonly output?: string;
  readonly as?: ValueForm;
  readonly force?: boolean;
}

/** A pipe. */
const STDOUT = "-";
const QUIET_MS = 1_000;
const TELL_INTERVAL_MS = 500;
/** In a log. */
const LOG_INTERVAL_MS = 5_000;

export function getCommand(
  context: CommandContext,
  pathspec: string,
  options: GetOptions,
): Promise<number> {
  if (options.as === "directory" && options.output === undefined)
    throw usage("--as directory needs a place: -o DIR.");
  return withReadSide(context, async (readSide) => {
    const records = new Records(readSide);
    const interrupt = listenForInterrupt();
    const progress = tellProgress(context);
    const stop = new AbortController();
    interrupt.onAsked(() => stop.abort());
    try {
      const saving = { force: options.force === true, signal: stop.signal, onBytes: progress.add };
      await saidWhy(readSide, pathspec, async () => {
        const target = await findTarget(records, pathspec);
        await deliver(context, { records, target, options, saving });
      });
      return 0;
    } finally {
      progress.end();
      interrupt.stop();
    }
  });
}

interface Delivery {
  readonly records: Records;
  readonly target: Target;
  readonly options: GetOptions;
  readonly saving: Saving;
}

async function deliver(context: CommandContext, delivery: Delivery): Promise<void> {
  const { records, target, options, saving } = delivery;
  const { output } = options;
  if (output === undefined || output === STDOUT) {
    const isBytes = output === STDOUT && options.json !== true && target.k === "value";
    const form = fileForm(options.as) ?? (isBytes ? formOf(target.value) : "json");
    await print(context, formed(records, await tableValue(target, form), form), saving.signal);
    return;
  }
  const isFolder = output.endsWith("/") || (await isDirectory(output));
  if (mustBeFolder(target, options.as, isFolder)) {
    const files = await saveDirectory(records, { target, directory: output }, saving);
    if (options.json === true) writeJson(context, { directory: output, files });
    return;
  }
  if (isFolder) throw usage(`${output} is a directory. Name a file in it, or pass --as directory.`);
  const single = target.k === "value" ? target.value : undefined;
  const guessed = options.json === true ? "json" : guessedForm(output, single);
  const form = fileForm(options.as) ?? guessed;
  const value = await tableValue(target, form);
  await saveFile(output, formed(records, value, form).pieces, saving);
}

/** Of several tasks, a table has one row for each: its index and its artifacts. */
async function tableValue(target: Target, as: FileForm): Promise<unknown> {
  if (as !== "csv" || target.k === "value" || target.isOneTask) return valueOf(target);
  const { artifacts } = target;
  const indexName = artifacts.some(({ name }) => name === "index") ? "task" : "index";
  const rows = new Map<string, [string, unknown][]>();
  for (const { name, index, load } of artifacts) {
    const key = index.join(",");
    const row = rows.get(key) ?? [[indexName, key]];
    rows.set(key, [...row, [name, await load()]]);
  }
  return [...rows.values()].map((row) => Object.fromEntries(row));
}

function mustBeFolder(target: Target, as: ValueForm | undefined, isFolder: boolean): boolean {
  if (as === "file") return isFolder && target.k === "value" && fileOf(target.value) !== undefined;
  if (as !== undefined) return as === "directory";
  return isFolder || (target.k === "value" && filesOf(target.value) !== undefined);
}

function fileForm(as: ValueForm | undefined): FileForm | undefined {
  return as === "directory" ? undefined : as;
}

/** `-o losses.csv` says what is wanted, unless the value is a file or bytes, which are written as they are. */
function guessedForm(path: string, value: unknown): FileForm {
  const form = formOf(value);
  if (form !== "json") return form;
  const ending = /\.(csv|npy)$/i.exec(basename(path))?.[1]?.toLowerCase();
  return ending === "csv" || ending === "npy" ? ending : "json";
}

async function print(
  { terminal }: CommandContext,
  { pieces, isText }: Formed,
  signal: AbortSignal,
): Promise<void> {
  if (!isText && terminal.isOutTty) {
    throw new MfError("FORMAT_UNSUPPORTED", {
      what: "bytes",
      format: "text on a terminal",
      formats: "-o FILE, --as json",
    });
  }
  for await (const piece of pieces) {
    if (signal.aborted) throw new MfError("INTERRUPTED");
    const data = typeof piece === "string" ? "" : piece;
    if (typeof piece === "string") terminal.out(piece);
    // A reader that is slower than the disk is waited for.
    await new Promise<void>((resolve) => process.stdout.write(data, () => resolve()));
  }
}

async function isDirectory(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  return facts?.isDirectory() === true;
}

/** What takes longer than a moment says how far it is. */
function tellProgress({ clock, terminal }: CommandContext): {
  readonly add: (bytes: number) => void;
  end(): void;
} {
  const startedAt = clock.monotonic();
  let bytes = 0;
  const interval = terminal.isLive ? TELL_INTERVAL_MS : LOG_INTERVAL_MS;
  let toldAt = startedAt + QUIET_MS - interval;
  let isLineOpen = false;
  return {
    add(more) {
      bytes += more;
      const now = clock.monotonic();
      if (now - toldAt < interval) return;
      toldAt = now;
      const text = `writing ${bytesText(bytes)}, ${durationText(now - startedAt)}`;
      terminal.err(terminal.isLive ? `\r\u001B[K${text}` : `${text}\n`);
      isLineOpen = terminal.isLive;
    },
    end() {
      if (isLineOpen) terminal.err("\r\u001B[K");
    },
  };
}

function usage(message: string): MfError {
  return new MfError("USAGE", { message, command: "get" });
}
