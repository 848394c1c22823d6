/** `-o FILE`: a file that cannot be written is the user's to mend, and is said so. */
import { writeFile } from "node:fs/promises";
import { MfError } from "../../src/model/errors.ts";

/** @throws MfError USAGE */
export async function writeOutputFile(
  command: string,
  file: string,
  data: string | Uint8Array,
): Promise<void> {
  await writeFile(file, data).catch((error: NodeJS.ErrnoException) => {
    const reason =
      error.code === "ENOENT" ? "its directory does not exist" : (error.code ?? error.message);
    throw new MfError("USAGE", {
      message: `-o ${file} cannot be written: ${reason}.`,
      command,
    });
  });
}
