/** Writes marks so that each comes after every write of the same mark that this store has seen. */
import { MfError } from "../model/errors.ts";
import { isSet, markKey, MARKS_MAX, NOTE_CHARS_MAX, TAGS_MAX, type Mark } from "../model/mark.ts";
import { parsePathspec } from "../model/pathspec.ts";
import { readRunAddress } from "../model/run-address.ts";
import { checkGivenTag } from "../model/run-tags.ts";
import type { Store } from "../store/ports.ts";
import type { MarkChange } from "./control/daemon-side.ts";

export interface MarkWriter {
  /** Of this machine's clock, ms. */
  readonly now: number;
  /** Name of this peer; undefined without a mesh. */
  readonly peer?: string;
}

/** The marks as they are stored. @throws what plannedMarks does */
export async function writeMarks(
  store: Pick<Store, "marks" | "commit">,
  changes: readonly MarkChange[],
  writer: MarkWriter,
): Promise<readonly Mark[]> {
  const known = new Map((await store.marks()).map((mark) => [markKey(mark), mark]));
  const marks = plannedMarks(known, changes, writer);
  if (marks.length > 0) await store.commit({ marks });
  return marks;
}

/**
 * All of the changes as marks, or none. A change that changes nothing gives no mark.
 * @param known by markKey, those that were taken off too
 * @throws MfError TAG_INVALID, TAG_RESERVED, TAGS_TOO_MANY, NOTE_TOO_LONG, MARK_INVALID, MARKS_FULL
 */
export function plannedMarks(
  known: ReadonlyMap<string, Mark>,
  changes: readonly MarkChange[],
  { now, peer }: MarkWriter,
): Mark[] {
  const planned = new Map<string, Mark>();
  for (const { user, ...given } of changes) {
    const change = { ...given, ...(given.value === undefined ? {} : { value: text(given.value) }) };
    checkChange(change);
    const key = markKey(change);
    const before = planned.get(key) ?? known.get(key);
    if (before?.value === change.value) continue;
    const at = Math.max(now, (before?.at ?? -1) + 1);
    planned.set(key, { ...change, at, by: peer === undefined ? user : `${user}@${peer}` });
  }
  checkCounts(known, planned);
  return [...planned.values()];
}

/** Half a surrogate pair would reach other peers as another character. */
function text(value: string): string {
  return value.replaceAll(/\p{Cs}/gu, "\uFFFD");
}

function checkChange({ kind, on, name, value }: Omit<MarkChange, "user">): void {
  const invalid = (reason: string): MfError => new MfError("MARK_INVALID", { kind, on, reason });
  if (kind === "tag") checkGivenTag(name);
  else if (name !== "") throw invalid(`a ${kind} has no name`);
  if (value !== undefined && value.length > NOTE_CHARS_MAX)
    throw new MfError("NOTE_TOO_LONG", { count: value.length, max: NOTE_CHARS_MAX });
  const spec = parsePathspec(on);
  if (spec.k === "content") {
    if (kind !== "pin") throw invalid("it is content, not a run");
    return;
  }
  const address = spec.run === undefined ? undefined : readRunAddress(spec.run);
  if (spec.step !== undefined || typeof address !== "object" || address.k !== "id")
    throw invalid("it is not the id of a run");
}

/** More tags than that may come together when peers write at once; what is refused is adding to them. */
function checkCounts(known: ReadonlyMap<string, Mark>, planned: ReadonlyMap<string, Mark>): void {
  const fresh = [...planned.keys()].filter((key) => !known.has(key)).length;
  if (fresh > 0 && known.size + fresh > MARKS_MAX)
    throw new MfError("MARKS_FULL", { count: known.size, max: MARKS_MAX });
  const added = new Set(
    [...planned.values()].flatMap((mark) => (mark.kind === "tag" && isSet(mark) ? [mark.on] : [])),
  );
  if (added.size === 0) return;
  const counts = new Map<string, number>();
  const count = (mark: Mark): void => {
    if (mark.kind === "tag" && isSet(mark) && added.has(mark.on))
      counts.set(mark.on, (counts.get(mark.on) ?? 0) + 1);
  };
  for (const [key, mark] of known) if (!planned.has(key)) count(mark);
  for (const mark of planned.values()) count(mark);
  for (const [on, count] of counts)
    if (count > TAGS_MAX) throw new MfError("TAGS_TOO_MANY", { on, count, max: TAGS_MAX });
}
