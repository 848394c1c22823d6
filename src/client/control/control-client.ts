/** Asks the process that holds the store. `connectControl` gives a ReadSide whose calls travel over its socket. */
import { createConnection, type Socket } from "node:net";
import { fromErrorRecord, MfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import type { RunSummary } from "../../model/journal.ts";
import type { ContentLocation } from "../../store/ports.ts";
import { controlPath } from "./control-path.ts";
import {
  CONTROL_VERSION,
  decodeResponse,
  encodeFrame,
  LineSplitter,
  RESPONSE_BYTES_MAX,
} from "./control-protocol.ts";
import type { RunStatus } from "../runs.ts";
import type { ReadMethod, ReadSide, ResolvedPathspec, VersionRow } from "./read-side.ts";

export interface ControlConnection {
  readonly readSide: ReadSide;
  close(): void;
}

/** Undefined where nobody answers on the home's socket. */
export async function connectControl(home: string): Promise<ControlConnection | undefined> {
  const socket = await connect(controlPath(home));
  if (socket === undefined) return undefined;
  const caller = new ControlCaller(socket);
  return { readSide: remoteReadSide(caller), close: () => caller.close() };
}

function connect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("error", () => resolve(undefined));
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

class ControlCaller {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #splitter = new LineSplitter(RESPONSE_BYTES_MAX);
  #nextId = 1;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#failAll());
  }

  call(method: ReadMethod, params: readonly unknown[]): Promise<unknown> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(connectionLost());
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(encodeFrame({ v: CONTROL_VERSION, id, method, params }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const lines = this.#splitter.push(chunk);
    if (lines === undefined) return void this.#socket.destroy();
    for (const line of lines) {
      const response = decodeResponse(line);
      const waiting = response === undefined ? undefined : this.#waiting.get(response.id);
      if (response === undefined || waiting === undefined) return void this.#socket.destroy();
      this.#waiting.delete(response.id);
      if ("error" in response) waiting.reject(fromErrorRecord(response.error));
      else waiting.resolve(response.result);
    }
  }

  #failAll(): void {
    for (const waiting of this.#waiting.values()) waiting.reject(connectionLost());
    this.#waiting.clear();
  }
}

function connectionLost(): MfError {
  return new MfError("CONTROL_LOST");
}

/** The answers are those of our own program in another process, so their form is trusted; contents are verified when read. */
function remoteReadSide(caller: ControlCaller): ReadSide {
  return {
    runs: async (flow) => (await caller.call("runs", [flow])) as RunSummary[],
    run: async (run) => (await caller.call("run", [run])) as RunSummary,
    status: async (run) => (await caller.call("status", [run])) as RunStatus,
    versions: async (prefix) => (await caller.call("versions", [prefix])) as VersionRow[],
    resolve: async (pathspec) => (await caller.call("resolve", [pathspec])) as ResolvedPathspec,
    packageId: async (run) => (await caller.call("packageId", [run])) as Cid,
    async locate(ids) {
      const found = (await caller.call("locate", [ids])) as (ContentLocation | null)[];
      return found.map((location) => location ?? undefined);
    },
  };
}
