/** Asks the process that holds the store: a daemon (`connectDaemon`), or whoever it is for what reading commands need (`connectControl`). */
import { createConnection, type Socket } from "node:net";
import { systemClock, type Clock } from "../../env/clock.ts";
import { isMfError, MfError } from "../../model/errors.ts";
import { ControlCaller } from "./control-caller.ts";
import { controlPath } from "./control-path.ts";
import type { DaemonSide } from "./daemon-side.ts";
import type { ReadSide } from "./read-side.ts";
import { remoteDaemonSide, remoteHolder } from "./remote-side.ts";

export interface ControlConnection {
  readonly readSide: ReadSide;
  /** @throws MfError NOT_AVAILABLE where an older version holds the store */
  readonly mark: DaemonSide["mark"];
  close(): void;
}

export interface DaemonConnection {
  readonly side: DaemonSide;
  close(): void;
}

/** A loaded daemon's loop may be late by a second or two; one that says nothing for so long is stopped or stuck. */
const HELLO_TIMEOUT_MS = 10_000;

/** Undefined where nobody answers on the home's socket. */
export async function connectControl(home: string): Promise<ControlConnection | undefined> {
  const caller = await connect(controlPath(home));
  if (caller === undefined) return undefined;
  const { mark, ...readSide } = remoteHolder(caller);
  return { readSide, mark, close: () => caller.close() };
}

/** Undefined where nobody answers on the home's socket, or only an `mf run`. @throws MfError PEER_TIMEOUT where it accepts and says nothing */
export async function connectDaemon(
  home: string,
  clock: Clock = systemClock,
): Promise<DaemonConnection | undefined> {
  const caller = await connect(controlPath(home));
  if (caller === undefined) return undefined;
  if (await isDaemon(caller, clock)) {
    return { side: remoteDaemonSide(caller), close: () => caller.close() };
  }
  caller.close();
  return undefined;
}

/** An `mf run` of an older version does not know the question at all. */
async function isDaemon(caller: ControlCaller, clock: Clock): Promise<boolean> {
  const silence = new AbortController();
  const cancelTimer = clock.after(HELLO_TIMEOUT_MS, () => silence.abort());
  try {
    const hello = await caller.call("hello", [], { signal: silence.signal });
    return (hello as { isDaemon?: unknown } | undefined)?.isDaemon === true;
  } catch (error) {
    if (!silence.signal.aborted) {
      if (isMfError(error, "NOT_AVAILABLE") || isMfError(error, "CONTROL_LOST")) return false;
      throw error;
    }
    caller.close();
    throw new MfError("PEER_TIMEOUT", {
      peer: "of this home",
      what: "on its control socket",
      ms: HELLO_TIMEOUT_MS,
    });
  } finally {
    cancelTimer();
  }
}

function connect(path: string): Promise<ControlCaller | undefined> {
  return new Promise((resolve) => {
    const socket: Socket = createConnection(path);
    socket.once("error", () => resolve(undefined));
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(new ControlCaller(socket));
    });
  });
}
