/**
 * Artifacts as files of a directory: one each, named after the artifact; files under their own names; the tasks of a foreach in
 * directories named by their index. Everything is written beside the directory first, so that nothing half-written is ever in it.
 */
import { link, lstat, mkdir, rename, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { FileInfo } from "../../src/artifact/file-brand.ts";
import type { Records } from "../../src/client/records.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import { inTurns } from "../../src/std/in-turns.ts";
import { safeParts, TakenNames } from "./file-names.ts";
import { directoryForm, ENDINGS, formed } from "./forms.ts";
import {
  besideName,
  existsError,
  removeBeside,
  saveError,
  writeInto,
  type Pieces,
  type Saving,
} from "./save-file.ts";
import { fileOf, filesOf, type Target } from "./target.ts";

/** Small files take longer to open than to write. */
const WRITTEN_AT_ONCE_MAX = 16;

/** The files written, as paths in the directory. @throws MfError USAGE, INTERRUPTED and what loading throws */
export async function saveDirectory(
  records: Records,
  { target, directory }: { readonly target: Target; readonly directory: string },
  saving: Saving,
): Promise<string[]> {
  const place = resolve(directory);
  const there = await lstat(place).catch(() => undefined);
  // A link to a directory is one: `stat` follows it.
  if (there !== undefined && !(await isDirectory(place)))
    throw new MfError("USAGE", {
      message: `-o ${directory} cannot be written: a file is there.`,
      command: "get",
    });
  // In the directory where there is one: what is beside it may be another disk, or not ours to write.
  const beside = join(there === undefined ? dirname(place) : place, besideName(place));
  try {
    await mkdir(beside);
    const written = new Written(records, beside, saving);
    await writeTarget(written, target);
    if (there === undefined) await rename(beside, place);
    else await moveInto(place, { beside, files: written.files, force: saving.force });
    return written.files.map((parts) => parts.join("/")).sort();
  } catch (error) {
    throw saveError(error, directory);
  } finally {
    await removeBeside(beside);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

class Written {
  readonly files: string[][] = [];
  readonly #names = new TakenNames();
  readonly #folders = new Set<string>();
  readonly #records: Records;
  readonly #root: string;
  readonly #saving: Saving;

  constructor(records: Records, root: string, saving: Saving) {
    this.#records = records;
    this.#root = root;
    this.#saving = saving;
  }

  /** What comes from other peers comes in one go. */
  async list(folder: readonly string[], files: readonly FileInfo[]): Promise<void> {
    await this.#records.bring(files.map((file) => file.id as Cid));
    // Names are given in the order of the list, whichever is written first.
    const places = files.map((file) => this.#names.take([...folder, ...safeParts(file.name)]));
    await inTurns(files, WRITTEN_AT_ONCE_MAX, (file, at) =>
      this.#write(places[at] ?? [], this.#records.stream(file.id as Cid)),
    );
  }

  async file(parts: readonly string[], file: FileInfo): Promise<void> {
    await this.#write(this.#names.take(parts), this.#records.stream(file.id as Cid));
  }

  async value(parts: readonly string[], value: unknown): Promise<void> {
    const form = directoryForm(value);
    const ending = form === "file" ? "" : ENDINGS[form];
    const [last = "value"] = parts.slice(-1);
    const named = [...parts.slice(0, -1), `${last}${ending}`];
    await this.#write(this.#names.take(named), formed(this.#records, value, form).pieces);
  }

  async #write(taken: string[], pieces: Pieces): Promise<void> {
    const path = join(this.#root, ...taken);
    const folder = dirname(path);
    if (!this.#folders.has(folder)) await mkdir(folder, { recursive: true });
    this.#folders.add(folder);
    await writeInto(path, pieces, this.#saving);
    this.files.push(taken);
  }
}

async function writeTarget(written: Written, target: Target): Promise<void> {
  if (target.k === "value") {
    const files = filesOf(target.value);
    if (files === undefined) await writeArtifact(written, [], target);
    else await written.list([], files);
    return;
  }
  for (const { name, index, load } of target.artifacts) {
    const folder = target.isOneTask ? [] : [index.join(",")];
    await writeArtifact(written, folder, { name, value: await load() });
  }
}

async function writeArtifact(
  written: Written,
  folder: readonly string[],
  { name, value }: { readonly name: string; readonly value: unknown },
): Promise<void> {
  const file = fileOf(value);
  if (file !== undefined) return written.file([...folder, ...safeParts(file.name)], file);
  const own = safeParts(name.replaceAll("/", "_"));
  const files = filesOf(value);
  if (files === undefined) await written.value([...folder, ...own], value);
  else await written.list([...folder, ...own], files);
}

interface Move {
  readonly beside: string;
  readonly files: readonly (readonly string[])[];
  readonly force: boolean;
}

/** Looks at every place before the first file goes in. */
async function moveInto(place: string, { beside, files, force }: Move): Promise<void> {
  const folders = new Set<string>([place]);
  for (const parts of files) {
    for (let depth = 1; depth < parts.length; depth++)
      folders.add(join(place, ...parts.slice(0, depth)));
    const path = join(place, ...parts);
    const there = await lstat(path).catch(() => undefined);
    if (there !== undefined && (!force || there.isDirectory())) throw existsError(path);
  }
  for (const folder of folders) await makeOwnFolder(folder, folder === place);
  for (const parts of files) {
    const path = join(place, ...parts);
    if (force) await rename(join(beside, ...parts), path);
    else await linkOrMove(join(beside, ...parts), path);
  }
}

/** A link inside the directory could lead anywhere; the directory itself may be one. */
async function makeOwnFolder(folder: string, mayBeLink: boolean): Promise<void> {
  const there = await lstat(folder).catch(() => undefined);
  if (there === undefined) {
    await mkdir(folder);
    return;
  }
  if (there.isDirectory() || (mayBeLink && there.isSymbolicLink())) return;
  throw new MfError("USAGE", { message: `${folder} is no directory.`, command: "get" });
}

async function linkOrMove(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") throw existsError(to);
    await rename(from, to);
  }
}
