/** Which files a source means, in the order of their names. Nothing is left out silently: what cannot be read is refused by its name. */
import type { Dirent, Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { SourceSpec } from "../graph/source-spec.ts";
import { follow, Glob, isMatch, leadsOn, type GlobPlaces } from "./glob.ts";
import { SOURCE_DEPTH_MAX, SOURCE_FILES_MAX, SOURCE_NAMES_MAX } from "./source-limits.ts";

export interface FoundFile {
  readonly path: string;
  /** The last part of its path; below a directory its path in there, with slashes. */
  readonly name: string;
}

/** Why a source cannot be read, and what to do about it. */
export class SourceRefused extends Error {
  readonly hint: string;

  constructor(reason: string, hint: string) {
    super(reason);
    this.hint = hint;
  }
}

const PATH_HINT = "Its path is relative to the flow file.";

/** `root`: what the spec's path means here. @throws SourceRefused */
export async function findFiles(spec: SourceSpec, root: string): Promise<FoundFile[]> {
  const facts = await stat(root).catch((error: unknown) => {
    throw refusal(error, root);
  });
  if (spec.kind === "file") {
    checkFile(root, facts);
    return [{ path: root, name: basename(root) }];
  }
  if (!facts.isDirectory())
    throw new SourceRefused(`${root} is no directory`, "For one file leave the last / away.");
  const walk = new Walk(spec);
  await walk.enter({ path: root, name: "", places: walk.start, around: [] });
  if (walk.found.length === 0)
    throw new SourceRefused(
      spec.kind === "glob" ? `no file below ${root} matches` : `there is no file in ${root}`,
      PATH_HINT,
    );
  // By code units, so that every machine and language setting has the same order.
  return walk.found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

interface Directory {
  readonly path: string;
  /** Of the files in it: what they begin with. */
  readonly name: string;
  readonly places: GlobPlaces | undefined;
  /** The directories it lies in, to notice a ring of links. */
  readonly around: readonly string[];
}

class Walk {
  readonly found: FoundFile[] = [];
  /** Undefined: everything matches. */
  readonly start: GlobPlaces | undefined;
  #names = 0;

  constructor(spec: SourceSpec) {
    this.start = spec.kind === "glob" ? globOf(spec.pattern).start : undefined;
  }

  async enter(directory: Directory): Promise<void> {
    const { path, around } = directory;
    const facts = await stat(path, { bigint: true });
    const self = `${facts.dev}:${facts.ino}`;
    if (around.includes(self))
      throw new SourceRefused(`${path} is a link to a directory around it`, "Take the link away.");
    if (around.length >= SOURCE_DEPTH_MAX)
      throw new SourceRefused(
        `${path} is more than ${SOURCE_DEPTH_MAX} directories deep`,
        PATH_HINT,
      );
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      throw refusal(error, path);
    });
    for (const entry of entries) await this.#look(directory, entry, [...around, self]);
  }

  async #look(directory: Directory, entry: Dirent, around: readonly string[]): Promise<void> {
    if (++this.#names > SOURCE_NAMES_MAX)
      throw new SourceRefused(
        `more than ${SOURCE_NAMES_MAX} names would have to be looked at`,
        "Name a directory further down.",
      );
    const places = directory.places && follow(directory.places, entry.name);
    const isWanted = places === undefined || isMatch(places);
    const isOnTheWay = places === undefined || leadsOn(places);
    if (!isWanted && !isOnTheWay) return;
    const path = join(directory.path, entry.name);
    if (entry.name.includes("\uFFFD"))
      throw new SourceRefused(`the name of ${path} is not UTF-8`, "Rename it.");
    if (entry.isFile() && !isWanted) return;
    const facts: Dirent | Stats =
      entry.isFile() || entry.isDirectory() ? entry : await linked(path);
    const name = `${directory.name}${entry.name}`;
    if (facts.isDirectory()) {
      if (isOnTheWay) await this.enter({ path, name: `${name}/`, places, around });
      return;
    }
    if (!isWanted) return;
    checkFile(path, facts);
    this.found.push({ path, name });
    if (this.found.length > SOURCE_FILES_MAX)
      throw new SourceRefused(
        `it has more than ${SOURCE_FILES_MAX} files`,
        "Make several sources of it, or pack the files.",
      );
  }
}

function globOf(pattern: string): Glob {
  try {
    return new Glob(pattern);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SourceRefused(error.message, "Use * in place of some of them.");
  }
}

/** Whatever a link leads to. */
async function linked(path: string): Promise<Stats> {
  return stat(path).catch((error: unknown) => {
    throw refusal(error, path, "a link to nothing");
  });
}

function checkFile(path: string, facts: Pick<Stats, "isFile" | "isDirectory">): void {
  if (facts.isFile()) return;
  throw facts.isDirectory()
    ? new SourceRefused(`${path} is a directory`, "To take all files in it end the name with a /.")
    : new SourceRefused(
        `${path} is neither a file nor a directory`,
        "Take it away, or use a glob.",
      );
}

/** What the system said of a path, in words. */
export function refusal(error: unknown, path: string, missing = "not there"): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new SourceRefused(`${path} is ${missing}`, PATH_HINT);
    case "EACCES":
    case "EPERM":
      return new SourceRefused(`${path} may not be read (${code})`, "Make it readable.");
    case "ELOOP":
      return new SourceRefused(`${path} is a ring of links`, "Take the link away.");
    case "EISDIR":
      return new SourceRefused(`${path} is a directory`, "Name a file.");
    case "ENAMETOOLONG":
    case "EIO":
    case "ESTALE":
      return new SourceRefused(`${path} cannot be read (${code})`, PATH_HINT);
    default:
      return error;
  }
}
