/** Who the user is: MF_USER, else the system's name for the account; of a root shell, whoever became root. */
import { userInfo } from "node:os";
import { MfError } from "../model/errors.ts";

const NAME_CHARS_MAX = 64;
const ROOT = "root";

/** @throws MfError USAGE where MF_USER is no name */
export function userName(env: NodeJS.ProcessEnv = process.env): string {
  const given = env["MF_USER"];
  if (given !== undefined && given !== "") return checkedName(given);
  const account = accountName();
  const before = env["SUDO_USER"];
  return account === ROOT && before !== undefined && before !== "" ? before : account;
}

/** Runs of root are nobody's: several people of a lab would share the name without knowing it. */
export function rootNote(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return userName(env) === ROOT && env["MF_USER"] !== ROOT
    ? "note: this run is root's; MF_USER=NAME says whose it is"
    : undefined;
}

function checkedName(name: string): string {
  if (name.length > NAME_CHARS_MAX || /[\s/@]|\p{Cc}|\p{Cs}/u.test(name))
    throw new MfError("USAGE", {
      message: `MF_USER is no user's name: a word of at most ${NAME_CHARS_MAX} characters, without slash and @.`,
      command: "run",
    });
  return name;
}

/** A container may run as a number that has no name. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown");
  }
}
