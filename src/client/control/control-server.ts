/**
 * Answers the reading commands of other processes while this one holds the store. Only its own user may connect (socket 0600 in a
 * 0700 directory). Calls nothing but READ_METHODS; a malformed or too long question ends the connection, never the server.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import type { Cid } from "../../model/ids.ts";
import type { Logger } from "../../env/logger.ts";
import { MfError, toErrorRecord } from "../../model/errors.ts";
import { controlPath } from "./control-path.ts";
import {
  CONTROL_VERSION,
  decodeRequest,
  encodeFrame,
  LineSplitter,
  REQUEST_BYTES_MAX,
  REQUESTS_PENDING_MAX,
} from "./control-protocol.ts";
import type { ControlRequest } from "./control-protocol.ts";
import { READ_METHODS, type ReadMethod, type ReadSide } from "./read-side.ts";

export interface ControlServerDeps {
  readonly readSide: ReadSide;
  readonly logger: Logger;
}

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
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serve(socket, deps);
  });
  await listen(server, path);
  chmodSync(path, 0o600);
  server.unref();
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => {
          rmSync(path, { force: true });
          resolve();
        });
      }),
  };
}

function prepareDirectory(directory: string, home: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
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

function serve(socket: Socket, deps: ControlServerDeps): void {
  const splitter = new LineSplitter(REQUEST_BYTES_MAX);
  let pending = 0;
  // A reader that goes away in the middle of an answer is its own affair.
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const lines = splitter.push(chunk);
    if (lines === undefined) return refuse(socket, deps, "request-too-long");
    for (const line of lines) {
      const request = decodeRequest(line);
      if (request === undefined) return refuse(socket, deps, "request-malformed");
      if (pending >= REQUESTS_PENDING_MAX) return refuse(socket, deps, "requests-too-many");
      pending += 1;
      void answer(request, deps.readSide).then((text) => {
        pending -= 1;
        if (!socket.destroyed) socket.write(text);
      });
    }
  });
}

function refuse(socket: Socket, deps: ControlServerDeps, event: string): void {
  deps.logger.warn("control-refused", { reason: event });
  socket.destroy();
}

/** The answer as a frame; an operating error is an answer too. */
async function answer(request: ControlRequest, readSide: ReadSide): Promise<string> {
  const { id } = request;
  try {
    const result = await call(request, readSide);
    return encodeFrame({ v: CONTROL_VERSION, id, result });
  } catch (error) {
    return encodeFrame({ v: CONTROL_VERSION, id, error: toErrorRecord(error) });
  }
}

async function call(request: ControlRequest, readSide: ReadSide): Promise<unknown> {
  if (request.v !== CONTROL_VERSION) {
    throw new MfError("NOT_AVAILABLE", {
      what: `Control protocol ${request.v}`,
      hint: "Use the same version of mf for both commands.",
    });
  }
  const method = READ_METHODS.find((name) => name === request.method);
  if (method === undefined) {
    throw new MfError("NOT_AVAILABLE", {
      what: `"${request.method}"`,
      hint: "Use the same version of mf for both commands.",
    });
  }
  return callMethod(readSide, method, request.params);
}

function callMethod(
  readSide: ReadSide,
  method: ReadMethod,
  params: readonly unknown[],
): Promise<unknown> {
  const [first] = params;
  if (method === "locate") {
    if (!Array.isArray(first) || !first.every((id) => typeof id === "string")) throw badParameter();
    return readSide.locate(first as Cid[]);
  }
  if (method === "runs" || method === "versions") {
    if (first !== undefined && first !== null && typeof first !== "string") throw badParameter();
    return readSide[method](first ?? undefined);
  }
  if (typeof first !== "string") throw badParameter();
  return readSide[method](first);
}

function badParameter(): MfError {
  return new MfError("USAGE", {
    message: "A question to the control socket has a wrong parameter.",
    command: "ls",
  });
}
