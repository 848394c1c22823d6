/** Length-prefixed messages on a stream socket: u32 (little endian) and messagepack. A length over the cap ends the connection. */
import type { Duplex } from "node:stream";
import { assert } from "../../std/assert.ts";
import { decodeMessage, encodeMessage } from "../../task/message-codec.ts";
import { FRAME_BYTES_MAX } from "./hosts-limits.ts";

/** Up to here a copy is cheaper than handing two pieces to the system. */
const FRAME_COPY_BYTES_MAX = 64 * 1024;

export function sendFrame(socket: Duplex, message: unknown, sent?: () => void): void {
  const body = encodeMessage(message);
  assert(body.length <= FRAME_BYTES_MAX, "a frame within its limit");
  const isSmall = body.length <= FRAME_COPY_BYTES_MAX;
  const head = Buffer.allocUnsafe(isSmall ? 4 + body.length : 4);
  head.writeUInt32LE(body.length);
  if (isSmall) {
    head.set(body, 4);
    socket.write(head, sent);
    return;
  }
  socket.cork();
  socket.write(head);
  socket.write(body, sent);
  socket.uncork();
}

export function receiveFrames(socket: Duplex, receive: (message: unknown) => void): void {
  let pieces: Buffer[] = [];
  let held = 0;
  let needed = 4;
  let isHead = true;
  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    held += piece.length;
    while (held >= needed) {
      const all =
        pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
      const part = all.subarray(0, needed);
      pieces = held > needed ? [all.subarray(needed)] : [];
      held -= needed;
      if (isHead) needed = part.readUInt32LE();
      else receive(decodeMessage(part));
      if (!isHead) needed = 4;
      isHead = !isHead;
      if (needed > FRAME_BYTES_MAX) return void socket.destroy();
    }
  });
}
