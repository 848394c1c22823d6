/** Whether an error means that there is no room on the disk. */

/** LevelDB has no code for a full disk: it reports the system's words. */
export function isDiskFull(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") return true;
    if (/no space left|quota exceeded/i.test(at.message)) return true;
  }
  return false;
}
