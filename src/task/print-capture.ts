/** Sends what code prints in this thread (console.*, process.stdout, process.stderr) to the log of the running attempt. */
import type { LogStream } from "./log-record.ts";

export interface PrintSink {
  write(stream: LogStream, chunk: string | Uint8Array): void;
}

let sink: PrintSink | undefined;
let isInstalled = false;

/** From now on prints go to `next`; undefined: they are dropped. */
export function capturePrints(next: PrintSink | undefined): void {
  sink = next;
  if (isInstalled) return;
  isInstalled = true;
  replaceWrite(process.stdout, "out");
  replaceWrite(process.stderr, "err");
}

function replaceWrite(stream: NodeJS.WriteStream, name: LogStream): void {
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    sink?.write(name, chunk);
    const callback = rest.at(-1);
    if (typeof callback === "function") queueMicrotask(() => callback());
    return true;
  };
}
