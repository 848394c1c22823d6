/**
 * Artifacts as files of a directory: one each, named after the artifact; files under their own names; the tasks of a foreach in
 * directories named by their index. Everything is written beside the directory first, so that nothing half-written is ever in it.
 */
import { link, lstat, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { FileInfo } from "../../src/artifact/file-brand.ts";
import type { Records } from "../../src/client/records.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import { safeParts, TakenNames } from "./file-names.ts";
import { directoryForm, ENDINGS, formed } from "./forms.ts";
import { besideName, existsError, saveError, saveFile, type Saving } from "./save-file.ts";
import { fileOf, filesOf, type Target } from "./target.ts";

/** The files written, as paths in the directory. @throws MfError USAGE, INTERRUPTED and what loading throws */
export async function saveDirectory(
  records: Records,
  { target, directory }: { readonly target: Target; readonly directory: string },
  saving: Saving,
): Promise<string[]> {
  const place = resolve(directory);
  const there = await lstat(place).catch(() => undefined);
  // In the directory where there is one: what is beside it may be another disk, or not ours to write.
  const beside = join(there === undefined ? dirname(place) : place, besideName(place));
  try {
    await mkdir(beside);
    const written = new Written(records, beside, saving);
    await writeTarget(written, target);
    if (there === undefined) await rename(beside, place);
    else await moveInto(place, { beside, files: written.files, force: saving.force });
    return written.files.map((parts) => parts.join("/"));
  } catch (error) {
    throw saveError(error, directory);
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

class Written {
  readonly files: string[][] = [];
  readonly #names = new TakenNames();
  readonly #records: Records;
  readonly #root: string;
  readonly #saving: Saving;

  constructor(records: Records, root: string, saving: Saving) {
    this.#records = records;
    this.#root = root;
    this.#saving = saving;
  }

  async file(parts: readonly string[], file: FileInfo): Promise<void> {
    await this.#save(parts, this.#records.stream(file.id as Cid));
  }

  async value(parts: readonly string[], value: unknown): Promise<void> {
    const form = directoryForm(value);
    const ending = form === "file" ? "" : ENDINGS[form];
    const [last = "value"] = parts.slice(-1);
    const named = [...parts.slice(0, -1), `${last}${ending}`];
    await this.#save(named, formed(this.#records, value, form).pieces);
  }

  async #save(parts: readonly string[], pieces: Parameters<typeof saveFile>[1]): Promise<void> {
    const taken = this.#names.take(parts);
    const path = join(this.#root, ...taken);
    await mkdir(dirname(path), { recursive: true });
    await saveFile(path, pieces, this.#saving);
    this.files.push(taken);
  }
}

async function writeTarget(written: Written, target: Target): Promise<void> {
  if (target.k === "value") {
    const files = filesOf(target.value);
    for (const file of files ?? []) await written.file(safeParts(file.name), file);
    if (files === undefined) await writeArtifact(written, [], target);
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
  if (files === undefined) return written.value([...folder, ...own], value);
  for (const one of files) await written.file([...folder, ...own, ...safeParts(one.name)], one);
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
