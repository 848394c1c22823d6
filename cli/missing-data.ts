/** Why data is not here, where a pack without data is why. */
import type { ReadSide } from "../src/client/control/read-side.ts";
import { isMfError, MfError } from "../src/model/errors.ts";
import { runText } from "../src/model/ids.ts";

/** CONTENT_MISSING of an imported run as PACK_WITHOUT_DATA, everything else as it is. */
export async function saidWhy<T>(
  readSide: ReadSide,
  pathspec: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const [flow, run] = pathspec.split("/");
    if (!isMfError(error, "CONTENT_MISSING") || run === undefined) throw error;
    const summary = await readSide.run(`${flow}/${run}`).catch(() => undefined);
    if (summary?.imported?.hasData !== false) throw error;
    const details = { pathspec, run: runText(summary.run) };
    throw new MfError("PACK_WITHOUT_DATA", details, { cause: error });
  }
}
