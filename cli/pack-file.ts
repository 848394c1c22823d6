/** A file that the user named and that cannot be read or written is the user's to mend. */
import { lstatSync } from "node:fs";
import { isMfError, MfError } from "../src/model/errors.ts";

/** As `mf get -o` does. @throws MfError USAGE */
export function refuseToReplace(file: string, force = false): void {
  if (force || lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return;
  throw new MfError("USAGE", {
    message: `${file} exists. To replace it pass --force.`,
    command: "export",
  });
}

/** Rethrows: what the system says of the file as USAGE, everything else as it is. */
export function asUsage(command: string, file: string): (error: unknown) => never {
  return (error) => {
    const { code } = error as NodeJS.ErrnoException;
    if (isMfError(error) || typeof code !== "string" || !/^E[A-Z]+$/.test(code)) throw error;
    const reason =
      code === "ENOENT"
        ? command === "import"
          ? "there is no such file"
          : "its directory does not exist"
        : code === "EISDIR"
          ? "it is a directory"
          : code;
    const verb = command === "import" ? "read" : "written";
    throw new MfError(
      "USAGE",
      { message: `${file} cannot be ${verb}: ${reason}.`, command },
      { cause: error },
    );
  };
}
