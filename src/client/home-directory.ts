/** Where everything that `mf` keeps lives: MF_HOME, else the platform's data directory. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";

export function homeDirectory(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const given = env["MF_HOME"];
  if (given !== undefined && given !== "") return resolve(given);
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "meshflow");
  if (platform === "win32") {
    return join(env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"), "meshflow");
  }
  const data = env["XDG_DATA_HOME"];
  // The XDG rules ask to ignore a relative path.
  const base = data?.startsWith("/") === true ? data : join(homedir(), ".local", "share");
  return join(base, "meshflow");
}
