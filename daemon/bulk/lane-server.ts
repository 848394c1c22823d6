/** The serving end of one lane: reads the pieces asked for from their segment files and writes them, a few buffers ahead at most. */
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../src/env/clock.ts";
import {
  SERVE_BUFFER_BYTES,
  SERVE_BUFFERS,
  SERVE_LOCATE_MAX,
  SERVE_PIECES_QUEUED_MAX,
} from "./bulk-limits.ts";
import {
  ANSWER_HEADER_BYTES,
  AskReader,
  PIECE_HERE,
  PIECE_MISSING,
  writeAnswerHeader,
} from "./lane-frames.ts";
import type { ServedPiece } from "./thread-messages.ts";

export interface LaneServerParts {
  readonly clock: Clock;
  readonly locate: (digests: readonly string[]) => Promise<readonly ServedPiece[]>;
  /** Fills `into` from the file's `at`; false where the file is gone or too short. */
  readonly read: (file: string, into: Uint8Array, at: number) => Promise<boolean>;
  readonly onServed: (bytes: number) => void;
}

export class LaneServer {
  readonly #socket: TLSSocket;
  readonly #parts: LaneServerParts;
  readonly #asks = new AskReader();
  /** Buffers that are neither being filled nor under way. */
  readonly #free: Buffer[] = [];
  #buffers = 0;
  #whenFree: (() => void) | undefined;
  #queue: string[] = [];
  #isServing = false;
  #lastServed = 0;

  constructor(socket: TLSSocket, parts: LaneServerParts) {
    this.#socket = socket;
    this.#parts = parts;
  }

  /** Since when nothing was asked of it (its parts' clock); undefined while something is. */
  get idleSince(): number | undefined {
    return this.#isServing ? undefined : this.#lastServed;
  }

  start(): void {
    this.#lastServed = this.#parts.clock.monotonic();
    this.#socket.on("data", (data: Buffer) => this.#asked(data));
    this.#socket.on("close", () => this.#whenFree?.());
  }

  #asked(data: Buffer): void {
    const digests = this.#asks.feed(data);
    if (digests === undefined || this.#queue.length + digests.length > SERVE_PIECES_QUEUED_MAX) {
      this.#socket.destroy();
      return;
    }
    this.#queue.push(...digests);
    if (!this.#isServing) void this.#serve();
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    try {
      while (this.#queue.length > 0 && !this.#socket.destroyed) {
        const digests = this.#queue.splice(0, SERVE_LOCATE_MAX);
        for (const piece of await this.#parts.locate(digests)) await this.#send(piece);
      }
    } catch {
      // A disk that cannot be read, or a socket that ended: the peer asks somebody else.
      this.#socket.destroy();
    }
    this.#isServing = false;
    this.#lastServed = this.#parts.clock.monotonic();
  }

  async #send(piece: ServedPiece): Promise<void> {
    const bytes = piece === undefined ? 0 : "inline" in piece ? piece.inline.length : piece.bytes;
    let at = 0;
    let head = ANSWER_HEADER_BYTES;
    do {
      const buffer = await this.#buffer();
      if (this.#socket.destroyed) return;
      const length = Math.min(bytes - at, buffer.length - head);
      let status = piece === undefined ? PIECE_MISSING : PIECE_HERE;
      const into = buffer.subarray(head, head + length);
      if (piece !== undefined && !(await this.#fill(piece, into, at))) {
        // Its header is out already: only a cut tells the peer.
        if (at > 0) return void this.#socket.destroy();
        status = PIECE_MISSING;
      }
      const isMissing = status === PIECE_MISSING;
      if (head > 0) writeAnswerHeader(buffer, status, isMissing ? 0 : bytes);
      this.#write(buffer, isMissing ? head : head + length);
      if (isMissing) return;
      at += length;
      head = 0;
    } while (at < bytes);
  }

  async #fill(piece: NonNullable<ServedPiece>, into: Buffer, at: number): Promise<boolean> {
    if (!("inline" in piece)) return this.#parts.read(piece.file, into, piece.offset + at);
    into.set(piece.inline.subarray(at, at + into.length));
    return true;
  }

  #write(buffer: Buffer, length: number): void {
    this.#socket.write(buffer.subarray(0, length), () => {
      this.#free.push(buffer);
      this.#whenFree?.();
    });
    this.#parts.onServed(length);
  }

  /** A free buffer; waits for one to be written where all are under way. */
  async #buffer(): Promise<Buffer> {
    while (this.#free.length === 0 && this.#buffers === SERVE_BUFFERS && !this.#socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.#whenFree = resolve;
      });
      this.#whenFree = undefined;
    }
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#buffers++;
    return Buffer.allocUnsafeSlow(SERVE_BUFFER_BYTES);
  }
}
