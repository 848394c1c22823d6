/** Names of files that are written into a directory: whatever an artifact or a stored file is called, none leads out of it. */
const PART_BYTES_MAX = 200;
const PARTS_MAX = 64;
/** Windows has devices under these names, whatever follows the first dot. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** Parts of a relative path: no empty one, none that goes up, nothing that a system would not have in a name. */
export function safeParts(name: string): string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  const safe = parts.slice(-PARTS_MAX).map(safePart);
  return safe.length === 0 ? ["_"] : safe;
}

function safePart(part: string): string {
  const clean = part
    .normalize("NFC")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\\/:*?"<>|]/gu, "_")
    .replaceAll(/^\.\.+$|[. ]+$/g, "_");
  const short = cutMiddle(clean);
  return DEVICE.test(short) ? `_${short}` : short;
}

/** The ending stays: it says what is in it. */
function cutMiddle(text: string): string {
  if (Buffer.byteLength(text) <= PART_BYTES_MAX) return text;
  const dot = text.lastIndexOf(".");
  const ending = dot > 0 && text.length - dot <= 16 ? text.slice(dot) : "";
  let kept = "";
  for (const character of text) {
    if (Buffer.byteLength(kept + character + ending) > PART_BYTES_MAX) break;
    kept += character;
  }
  return kept + ending;
}

/** Gives each name once, on disks that do not tell cases apart too: the second `a.csv` is `a-2.csv`. */
export class TakenNames {
  readonly #taken = new Set<string>();
  /** Directories that hold a taken name: no file may be called so. */
  readonly #folders = new Set<string>();
  /** Where to go on counting, so that ten thousand files of one name do not take a hundred million looks. */
  readonly #counts = new Map<string, number>();

  take(parts: readonly string[]): string[] {
    const wanted = keyOf(parts);
    for (let count = this.#counts.get(wanted) ?? 1; ; count++) {
      const tried = count === 1 ? [...parts] : withCount(parts, count);
      const folders = tried.slice(0, -1).map((_, at) => keyOf(tried.slice(0, at + 1)));
      const key = keyOf(tried);
      const isFree =
        !this.#taken.has(key) &&
        !this.#folders.has(key) &&
        folders.every((folder) => !this.#taken.has(folder));
      if (!isFree) continue;
      this.#taken.add(key);
      this.#counts.set(wanted, count + 1);
      for (const folder of folders) this.#folders.add(folder);
      return tried;
    }
  }
}

function keyOf(parts: readonly string[]): string {
  return parts.join("/").toLowerCase();
}

/** In the first part, so that files of one directory stay together. */
function withCount([first = "_", ...rest]: readonly string[], count: number): string[] {
  const dot = rest.length === 0 ? first.indexOf(".", 1) : -1;
  const [stem, ending] = dot < 0 ? [first, ""] : [first.slice(0, dot), first.slice(dot)];
  return [`${stem}-${count}${ending}`, ...rest];
}
