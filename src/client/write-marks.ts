/** Writes marks so that they come after every mark that this store has seen. */
import { checkTag, type Mark } from "../model/mark.ts";
import type { Store } from "../store/ports.ts";
import type { MarkChange } from "./control/daemon-side.ts";

export interface MarkWriter {
  /** Of this machine's clock, ms. */
  readonly now: number;
  /** Name of this peer; undefined without a mesh. */
  readonly peer?: string;
}

/** The marks as they are stored. @throws MfError TAG_INVALID */
export async function writeMarks(
  store: Pick<Store, "marks" | "commit">,
  changes: readonly MarkChange[],
  { now, peer }: MarkWriter,
): Promise<readonly Mark[]> {
  for (const { kind, name } of changes) if (kind === "tag") checkTag(name);
  let at = now;
  for (const mark of await store.marks()) at = Math.max(at, mark.at + 1);
  const marks = changes.map(({ user, ...change }): Mark => {
    return { ...change, at, by: peer === undefined ? user : `${user}@${peer}` };
  });
  await store.commit({ marks });
  return marks;
}
