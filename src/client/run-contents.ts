/** Everything a run consists of besides its journal and facts: its code, what it was given, what it made, and the files inside. */
import { filesIn } from "../artifact/file-ids.ts";
import { isMfError } from "../model/errors.ts";
import type { Cid } from "../model/ids.ts";
import { parseCid } from "../artifact/cid.ts";
import type { Records } from "./records.ts";
import type { RecordedRun } from "./verify/recorded-run.ts";

export interface RunContent {
  readonly id: Cid;
  /** Undefined where only its bytes say. */
  readonly bytes?: number;
  /** `flow/run/step[index]/artifact`, or what of the run's beginning it is. */
  readonly where: string;
}

/** Values larger than this are not searched for files: they are arrays of numbers. */
const SEARCHED_BYTES_MAX = 64 * 1024 * 1024;

/** Each once, without the files inside values. */
export function contentsOfRun({ run, started, tasks }: RecordedRun): RunContent[] {
  const found = new Map<Cid, RunContent>();
  const add = (content: RunContent): void => {
    if (!found.has(content.id)) found.set(content.id, content);
  };
  const text = `${run.flow}/${run.id}`;
  add({ id: started.packageId, where: `${text} code` });
  for (const [name, id] of Object.entries(started.params))
    add({ id, where: `${text} parameter ${name}` });
  for (const [name, pin] of Object.entries(started.sources ?? {}))
    add({ id: pin.id, where: `${text} source ${name}` });
  for (const [pathspec, id] of Object.entries(started.versions))
    add({ id, where: `${text} version ${pathspec}` });
  for (const { where, fact } of tasks.values())
    for (const [name, { id, bytes }] of Object.entries(fact?.outputs ?? {}))
      add({ id, bytes, where: `${where}/${name}` });
  return [...found.values()];
}

/** Files that values refer to. What cannot be read is left to whoever checks contents. */
export async function filesOfRun(
  records: Records,
  contents: readonly RunContent[],
): Promise<RunContent[]> {
  const known = new Set(contents.map(({ id }) => id));
  const files: RunContent[] = [];
  const places = await records.places(contents.map(({ id }) => id));
  for (const [position, { id, where }] of contents.entries()) {
    const place = places[position];
    // Bytes as they are refer to nothing.
    if (place === undefined || parseCid(id).codec === "raw") continue;
    if (!("inline" in place) && place.bytes > SEARCHED_BYTES_MAX) continue;
    for (const file of await filesOf(records, id)) {
      if (known.has(file.id)) continue;
      known.add(file.id);
      files.push({ ...file, where: `${where} (file)` });
    }
  }
  return files;
}

async function filesOf(records: Records, id: Cid): Promise<ReturnType<typeof filesIn>> {
  try {
    return filesIn(await records.read(id));
  } catch (error) {
    if (isMfError(error)) return [];
    throw error;
  }
}
