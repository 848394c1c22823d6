/**
 * Answers other processes while this one holds the store: the reading commands of an `mf run`, everything of a daemon. Only its own
 * user may connect (socket 0600 in a 0700 directory). A malformed or too long question ends the connection, never the server.
 */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { MfError } from "../../model/errors.ts";
import { makeFolder } from "../../std/make-folder.ts";
import { controlPath } from "./control-path.ts";
import { CONNECTIONS_MAX } from "./control-protocol.ts";
import { ControlSession, type ControlServerDeps } from "./control-session.ts";

export interface ControlServer {
  readonly path: string;
  close(): Promise<void>;
}

/** Call only while holding the store's lock: a socket file that is already there is then a dead process's and is replaced. */
export async function startControlServer(
  home: string,
  deps: ControlServerDeps,
): Promise<ControlServer> {
  const path = controlPath(home);
  prepareDirectory(dirname(path), home);
  rmSync(path, { force: true });
  const sessions = new Set<ControlSession>();
  const server = createServer((socket) => {
    const session = new ControlSession(socket, deps);
    sessions.add(session);
    socket.once("close", () => sessions.delete(session));
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, path);
  chmodSync(path, 0o600);
  server.unref();
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        for (const session of sessions) session.end();
        server.close(() => {
          rmSync(path, { force: true });
          resolve();
        });
      }),
  };
}

function prepareDirectory(directory: string, home: string): void {
  makeFolder(directory, 0o700);
  const facts = lstatSync(directory);
  const isOurs = facts.isDirectory() && facts.uid === process.getuid?.();
  // In a common temporary directory somebody else could have made it first.
  if (process.platform !== "win32" && !isOurs && !home.startsWith(directory)) {
    throw new MfError("STORE_UNWRITABLE", { home, reason: `${directory} belongs to another user` });
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
