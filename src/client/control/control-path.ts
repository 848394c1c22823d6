/** Where the control socket of a home is: in the home, or under a short hashed name where the home's path is too long for a socket. */
import { createHash } from "node:crypto";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";

/** sun_path has 104 bytes on macOS and 108 on Linux, its closing zero included. */
export const SOCKET_PATH_BYTES_MAX = 103;

export function controlPath(home: string, env: NodeJS.ProcessEnv = process.env): string {
  const absolute = resolve(home);
  const near = join(absolute, "control.sock");
  if (Buffer.byteLength(near) <= SOCKET_PATH_BYTES_MAX) return near;
  const name = createHash("sha256").update(absolute).digest("hex").slice(0, 16);
  return join(runtimeDirectory(env), `${name}.sock`);
}

/** XDG_RUNTIME_DIR is the user's own already; the common temporary directory gets a private one of the user. */
export function runtimeDirectory(env: NodeJS.ProcessEnv): string {
  const given = env["XDG_RUNTIME_DIR"];
  if (given?.startsWith("/") === true && Buffer.byteLength(given) < 64)
    return join(given, "meshflow");
  const base = Buffer.byteLength(tmpdir()) < 64 ? tmpdir() : "/tmp";
  return join(base, `meshflow-${userInfo().uid}`);
}
