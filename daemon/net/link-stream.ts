/** A libp2p stream as a link needs it: bytes in, bytes out with real back-pressure, and one end that never throws. */
import type { Connection, Stream } from "@libp2p/interface";
import { CLOSE_MS } from "./net-limits.ts";
import { spareWindowUpdates } from "./window-updates.ts";

export interface LinkStreamEvents {
  data(chunk: Uint8Array): void;
  drained(): void;
  ended(): void;
}

export interface LinkStream {
  /** False: wait for `drained` before the next one. */
  send(data: Uint8Array): boolean;
  attach(events: LinkStreamEvents): void;
  /** Ends the connection too; what was sent may still arrive unless `isAbrupt`. */
  end(reason: string, isAbrupt: boolean): Promise<void>;
}

export function linkStream(stream: Stream, connection: Connection): LinkStream {
  spareWindowUpdates(stream);
  return {
    send: (data) => send(stream, data),
    attach: (events) => attach(stream, connection, events),
    end: (reason, isAbrupt) => endConnection(connection, reason, isAbrupt),
  };
}

/** Bytes of messages to and from all peers since the start, as they are before encryption. */
export interface Traffic {
  bytesSent: number;
  bytesReceived: number;
}

export function counted(stream: LinkStream, traffic: Traffic): LinkStream {
  return {
    send(data) {
      traffic.bytesSent += data.length;
      return stream.send(data);
    },
    attach: (events) =>
      stream.attach({
        ...events,
        data(chunk) {
          traffic.bytesReceived += chunk.length;
          events.data(chunk);
        },
        drained: () => events.drained(),
        ended: () => events.ended(),
      }),
    end: (reason, isAbrupt) => stream.end(reason, isAbrupt),
  };
}

export async function endConnection(
  connection: Connection,
  reason: string,
  isAbrupt: boolean,
): Promise<void> {
  if (!isAbrupt) {
    try {
      await connection.close({ signal: AbortSignal.timeout(CLOSE_MS) });
      return;
    } catch {
      // It could not be closed in order: it is torn down below.
    }
  }
  try {
    connection.abort(new Error(reason));
  } catch {
    // It had ended already.
  }
}

/** A stream that ends while we send says so in its own event. */
function send(stream: Stream, data: Uint8Array): boolean {
  try {
    return stream.send(data);
  } catch {
    return false;
  }
}

function attach(stream: Stream, connection: Connection, events: LinkStreamEvents): void {
  let hasEnded = false;
  const ended = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    events.ended();
  };
  stream.addEventListener("message", (event) => {
    if (event.data instanceof Uint8Array) events.data(event.data);
    else for (const part of event.data) events.data(part);
  });
  // libp2p's own listener flushes in a microtask of this event, and ours must look after that: often the stream is full again at
  // once, and one more piece for every such event would pile up without end. Its onDrain() is not usable: after its first use
  // it resolves at once.
  const drained = (): void => {
    if (!stream.writableNeedsDrain) events.drained();
  };
  stream.addEventListener("drain", () => queueMicrotask(drained));
  stream.addEventListener("remoteCloseWrite", ended);
  stream.addEventListener("close", ended);
  connection.addEventListener("close", ended);
}
