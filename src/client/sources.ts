/** Sources of runs as people name them: `flow/run/source:data/iris.csv`. What a run read is in its journal; here it is found again. */
import { fileInfoOf, type FileInfo } from "../artifact/file-brand.ts";
import {
  FILE_SCHEME,
  isListSource,
  normalSource,
  parseSource,
  SOURCE_PREFIX,
  sourceName,
} from "../graph/source-spec.ts";
import { MfError } from "../model/errors.ts";
import { runText } from "../model/ids.ts";
import type { SourcePin } from "../model/journal.ts";
import type { Records } from "./records.ts";

const MARK = `/${SOURCE_PREFIX}`;
const NAMES_SHOWN_MAX = 5;

/** The parts of `flow/run/source:name`; undefined where a text names no source. */
export function splitSource(
  pathspec: string,
): { readonly run: string; readonly name: string } | undefined {
  const at = pathspec.indexOf(MARK);
  return at < 0
    ? undefined
    : { run: pathspec.slice(0, at), name: pathspec.slice(at + MARK.length) };
}

/** What a run read: a file, or a list of them; a file of a list by its path. @throws MfError PATHSPEC_NOT_FOUND, RUN_NOT_FOUND */
export async function loadSource(
  records: Records,
  pathspec: string,
): Promise<FileInfo | readonly FileInfo[]> {
  const { run: runName, name } = splitSource(pathspec) ?? { run: pathspec, name: "" };
  const { run } = await records.side.run(runName);
  const { sources = {} } = await records.started(run);
  const spec = normalSource(name.startsWith(FILE_SCHEME) ? name : `${FILE_SCHEME}${name}`);
  const pin = Object.hasOwn(sources, spec) ? sources[spec] : undefined;
  if (pin !== undefined) return filesOf(await records.value(pin.id));
  const file = await fileInList(records, sources, spec);
  if (file !== undefined) return file;
  const known = Object.keys(sources).map(sourceName);
  const shown = known.slice(0, NAMES_SHOWN_MAX).join(", ");
  throw new MfError("PATHSPEC_NOT_FOUND", {
    pathspec,
    reason: `${runText(run)} read no source ${name}`,
    hint:
      known.length === 0
        ? "Its flow names no sources: flow.source('file:…')."
        : `It read: ${shown}${known.length > NAMES_SHOWN_MAX ? ", …" : ""}.`,
  });
}

/** A file that a directory or a glob found, named by its path from the flow file. */
async function fileInList(
  records: Records,
  sources: Readonly<Record<string, SourcePin>>,
  spec: string,
): Promise<FileInfo | undefined> {
  for (const [list, pin] of Object.entries(sources)) {
    if (!isListSource(list)) continue;
    const base = normalSource(`${FILE_SCHEME}${parseSource(list).path}/`);
    const below = base === `${FILE_SCHEME}./` ? FILE_SCHEME : base;
    if (!spec.startsWith(below)) continue;
    const files = filesOf(await records.value(pin.id));
    const wanted = spec.slice(below.length);
    const found = Array.isArray(files) ? files.find((file) => file.name === wanted) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function filesOf(value: unknown): FileInfo | readonly FileInfo[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const files = items.map((item) =>
    typeof item === "object" && item !== null ? fileInfoOf(item) : undefined,
  );
  if (files.includes(undefined))
    throw new MfError("CONTENT_MALFORMED", { reason: "a source that is no file" });
  return value as FileInfo | readonly FileInfo[];
}
