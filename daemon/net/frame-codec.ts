/** Frames to bytes, and a stream of bytes, cut anywhere, back to frames. Nothing is allocated before a length was judged. */
import {
  EMPTY,
  WIRE_KINDS,
  type BodyVerdict,
  type WireFrame,
  type WireHeader,
  type WireKind,
} from "./frame.ts";
import { NAME_BYTES_MAX } from "./net-limits.ts";

/** Length, kind, id and length of the name. */
export const HEADER_BYTES = 10;
/** Of these, what the length does not count. */
const LENGTH_BYTES = 4;

export function encodeFrame(frame: WireFrame): Uint8Array {
  const { name, body } = frame;
  const data = Buffer.allocUnsafe(HEADER_BYTES + name.length + body.length);
  writeHead(data, frame, body.length);
  data.set(body, HEADER_BYTES + name.length);
  return data;
}

/** The same frame as pieces, each a frame of its own of at most `pieceBytes` of body; the body is copied once. */
export function encodePieces(frame: WireFrame, pieceBytes: number): Uint8Array[] {
  const head = Buffer.allocUnsafe(HEADER_BYTES + frame.name.length);
  writeHead(head, frame, frame.body.length);
  const bytes = head.length + frame.body.length;
  const pieces: Uint8Array[] = [];
  const all = Buffer.allocUnsafe(bytes + Math.ceil(bytes / pieceBytes) * HEADER_BYTES);
  for (let from = 0, at = 0; from < bytes; from += pieceBytes) {
    const piece = all.subarray(at, (at += HEADER_BYTES + Math.min(pieceBytes, bytes - from)));
    writeHead(piece, PIECE, piece.length - HEADER_BYTES);
    const headPart = head.subarray(from, from + pieceBytes);
    piece.set(headPart, HEADER_BYTES);
    const bodyFrom = Math.max(from - head.length, 0);
    const bodyTo = from + pieceBytes - head.length;
    piece.set(frame.body.subarray(bodyFrom, Math.max(bodyTo, 0)), HEADER_BYTES + headPart.length);
    pieces.push(piece);
  }
  return pieces;
}

const PIECE = { k: "piece", id: 0, name: "" } as const;

function writeHead(data: Buffer, header: WireHeader, bodyBytes: number): void {
  const { k, id, name } = header;
  if (name.length > NAME_BYTES_MAX) throw new TypeError(`name too long: ${name}`);
  data.writeUInt32BE(HEADER_BYTES - LENGTH_BYTES + name.length + bodyBytes, 0);
  data.writeUInt8(WIRE_KINDS.indexOf(k), 4);
  data.writeUInt32BE(id, 5);
  data.writeUInt8(name.length, 9);
  data.write(name, HEADER_BYTES, "latin1");
}

export interface FrameReaderPort {
  /** How much body a frame may have; a text says why the stream must end here. */
  judge(header: WireHeader): BodyVerdict | string;
  /** The body is lent until the call returns. A text says why the stream must end here. */
  take(frame: WireFrame): string | undefined;
}

interface Body {
  readonly header: WireHeader;
  readonly bytes: number;
  readonly isWanted: boolean;
  have: number;
  /** Undefined while all of it may still come in one chunk. */
  buffer: Uint8Array | undefined;
}

export class FrameReader {
  readonly #port: FrameReaderPort;
  readonly #head = Buffer.alloc(HEADER_BYTES + NAME_BYTES_MAX);
  #headBytes = 0;
  #body: Body | undefined;
  #fault: string | undefined;

  constructor(port: FrameReaderPort) {
    this.#port = port;
  }

  /** Returns why the stream must end, where it must; from then on nothing more is read. */
  push(chunk: Uint8Array): string | undefined {
    let at = 0;
    while (this.#fault === undefined) {
      if (this.#body === undefined) at = this.#readHead(chunk, at);
      if (this.#body === undefined || this.#fault !== undefined) break;
      at = this.#readBody(this.#body, chunk, at);
      if (this.#body !== undefined) break;
    }
    return this.#fault;
  }

  #readHead(chunk: Uint8Array, from: number): number {
    let at = this.#fill(chunk, from, HEADER_BYTES);
    if (this.#headBytes < HEADER_BYTES) return at;
    const nameBytes = this.#head.readUInt8(9);
    if (nameBytes > NAME_BYTES_MAX) return this.#end("a name is too long", at);
    at = this.#fill(chunk, at, HEADER_BYTES + nameBytes);
    if (this.#headBytes < HEADER_BYTES + nameBytes) return at;
    this.#openBody(nameBytes);
    this.#headBytes = 0;
    return at;
  }

  #fill(chunk: Uint8Array, from: number, wanted: number): number {
    const bytes = Math.min(wanted - this.#headBytes, chunk.length - from);
    if (bytes <= 0) return from;
    this.#head.set(chunk.subarray(from, from + bytes), this.#headBytes);
    this.#headBytes += bytes;
    return from + bytes;
  }

  #openBody(nameBytes: number): void {
    const k: WireKind | undefined = WIRE_KINDS[this.#head.readUInt8(4)];
    if (k === undefined) return void this.#end("a kind that no frame has", 0);
    const bytes = this.#head.readUInt32BE(0) + LENGTH_BYTES - HEADER_BYTES - nameBytes;
    if (bytes < 0) return void this.#end("a length that is too small", 0);
    const name = this.#head.toString("latin1", HEADER_BYTES, HEADER_BYTES + nameBytes);
    const header = { k, id: this.#head.readUInt32BE(5), name };
    const verdict = this.#port.judge(header);
    if (typeof verdict === "string") return void this.#end(verdict, 0);
    if (bytes > verdict.bytesMax)
      return void this.#end(`${k} ${name} of ${bytes} bytes, at most ${verdict.bytesMax}`, 0);
    this.#body = { header, bytes, isWanted: verdict.isWanted, have: 0, buffer: undefined };
  }

  #readBody(body: Body, chunk: Uint8Array, from: number): number {
    const bytes = Math.min(body.bytes - body.have, chunk.length - from);
    const part = chunk.subarray(from, from + bytes);
    body.have += bytes;
    const isWhole = body.have === body.bytes;
    const isLent = isWhole && bytes === body.bytes;
    if (body.isWanted && !isLent && bytes > 0) {
      body.buffer ??= new Uint8Array(body.bytes);
      body.buffer.set(part, body.have - bytes);
    }
    if (isWhole) {
      this.#body = undefined;
      const data = body.isWanted ? (body.buffer ?? part) : EMPTY;
      this.#fault = this.#port.take({ ...body.header, body: data });
    }
    return from + bytes;
  }

  #end(fault: string, at: number): number {
    this.#fault = fault;
    return at;
  }
}
