/**
 * A plain tar (ustar) of regular files, as `tar tf` lists it: written front to back, read by position. Sizes over 8 GiB are written in
 * base 256, as GNU tar and bsdtar do. What is read is a stranger's: each header is checked, and nothing but plain files is taken.
 */
import type { FileHandle } from "node:fs/promises";
import type { WindowedFile } from "./windowed-file.ts";

export interface TarEntry {
  readonly name: string;
  readonly bytes: number;
  /** Where its bytes begin. */
  readonly offset: number;
}

const BLOCK = 512;
/** Gathered before it is written. */
const WRITE_BYTES = 1024 * 1024;
const NAME_BYTES_MAX = 100;
const OCTAL_MAX = 0o77777777777;
const SIZE_AT = 124;
const SUM_AT = 148;
/** Mode, user and group. */
const MODES = "0000644\u00000000000\u00000000000\u0000";
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/;

export class TarWriter {
  readonly #file: FileHandle;
  #left = 0;
  #padding = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Its bytes follow, with `write`. */
  async begin(name: string, bytes: number): Promise<void> {
    await this.#put(header(name, bytes));
    this.#left = bytes;
    this.#padding = (BLOCK - (bytes % BLOCK)) % BLOCK;
    if (bytes === 0) this.#padding = 0;
  }

  async write(data: Uint8Array): Promise<void> {
    if (data.length > this.#left) throw new RangeError("more bytes than the entry has");
    await this.#put(data);
    this.#left -= data.length;
    if (this.#left > 0 || this.#padding === 0) return;
    await this.#put(new Uint8Array(this.#padding));
    this.#padding = 0;
  }

  async add(name: string, data: Uint8Array): Promise<void> {
    await this.begin(name, data.length);
    await this.write(data);
  }

  async end(): Promise<void> {
    await this.#put(new Uint8Array(2 * BLOCK));
    await this.#flush();
  }

  /** Thousands of small entries are few writes. What is given must stay as it is. */
  async #put(data: Uint8Array): Promise<void> {
    this.#waiting.push(data);
    this.#waitingBytes += data.length;
    if (this.#waitingBytes >= WRITE_BYTES) await this.#flush();
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const data of waiting.length > 1 ? [Buffer.concat(waiting)] : waiting)
      await this.#file.writeFile(data);
  }
}

function header(name: string, bytes: number): Uint8Array {
  if (!NAME.test(name) || name.length > NAME_BYTES_MAX)
    throw new RangeError(`not a name for an entry: ${name}`);
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, "latin1");
  block.write(MODES, NAME_BYTES_MAX, "latin1");
  if (bytes <= OCTAL_MAX)
    block.write(`${bytes.toString(8).padStart(11, "0")}\0`, SIZE_AT, "latin1");
  else {
    block[SIZE_AT] = 0x80;
    block.writeBigUInt64BE(BigInt(bytes), SIZE_AT + 4);
  }
  // No time: the same run gives the same file.
  block.write("00000000000\0", 136, "latin1");
  block.write("0ustar\u000000", 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  block.write(`${sumOf(block).toString(8).padStart(6, "0")}\0 `, SUM_AT, "latin1");
  return block;
}

/** Of all bytes, those of the sum itself taken as blanks. */
function sumOf(block: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= SUM_AT && at < SUM_AT + 8 ? 0x20 : byte;
  return sum;
}

/** In order. @throws RangeError saying what is wrong */
export async function* tarEntries(
  file: Pick<WindowedFile, "bytes" | "read">,
): AsyncGenerator<TarEntry> {
  const fileBytes = file.bytes;
  if (fileBytes < BLOCK) throw new RangeError("it is no tar file");
  for (let at = 0; at + BLOCK <= fileBytes;) {
    const block = Buffer.from(await file.read(at, BLOCK));
    if (block.every((byte) => byte === 0)) return;
    const { name, bytes } = readHeader(block);
    const offset = at + BLOCK;
    if (bytes > fileBytes - offset) throw new RangeError("it ends in the middle");
    yield { name, bytes, offset };
    at = offset + Math.ceil(bytes / BLOCK) * BLOCK;
  }
  throw new RangeError("it ends in the middle");
}

function readHeader(block: Buffer): { readonly name: string; readonly bytes: number } {
  if (block.toString("latin1", 257, 262) !== "ustar") throw new RangeError("it is no tar file");
  const sum = Number.parseInt(textAt(block, SUM_AT, 8), 8);
  if (sum !== sumOf(block)) throw new RangeError("a header of it is damaged");
  const kind = block[156];
  const isPlain = kind === 0x30 || kind === 0;
  const name = textAt(block, 0, NAME_BYTES_MAX);
  const prefix = textAt(block, 345, 155);
  if (!isPlain || prefix !== "" || !NAME.test(name))
    throw new RangeError("an entry of it is not a plain file with a plain name");
  return { name, bytes: sizeOf(block) };
}

function sizeOf(block: Buffer): number {
  if (block[SIZE_AT] === 0x80) {
    const size = block.readBigUInt64BE(SIZE_AT + 4);
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError("an entry is too large");
    return Number(size);
  }
  const text = textAt(block, SIZE_AT, 12).trim();
  if (!/^[0-7]{1,11}$/.test(text)) throw new RangeError("a header of it is damaged");
  return Number.parseInt(text, 8);
}

function textAt(block: Buffer, at: number, length: number): string {
  const end = block.subarray(at, at + length).indexOf(0);
  return block.toString("latin1", at, end < 0 ? at + length : at + end);
}
