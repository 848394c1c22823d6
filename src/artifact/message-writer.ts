/** A growing buffer with the MessagePack primitives. Always the shortest form, so that bytes are canonical. */
import { ALIGNMENT, ENCODED_BYTES_MAX } from "./extension.ts";

/** Up to this many characters a loop beats the native encoder. */
const LOOP_LENGTH_MAX = 40;
/** Up to this many, text is encoded in place: an array of its own costs five times as much. */
const IN_PLACE_LENGTH_MAX = 4_096;
const textEncoder = new TextEncoder();

/** Thrown by the writer alone; the encoder turns it into a refusal with a path. */
export class TooLargeError extends Error {}

export class MessageWriter {
  length = 0;
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  number(value: number): void {
    if (Number.isInteger(value) && value <= 0xffff_ffff && value >= -0x8000_0000) {
      if (value > 0 || Object.is(value, 0)) return this.#unsigned(value);
      if (value < 0) return this.#negative(value);
    }
    this.#reserve(9);
    this.#bytes[this.length] = 0xcb;
    this.#view.setFloat64(this.length + 1, value);
    this.length += 9;
  }

  /** `text` must be well formed. */
  string(text: string): void {
    if (text.length <= LOOP_LENGTH_MAX ? this.#shortAscii(text) : this.#ascii(text)) return;
    const bytes = textEncoder.encode(text);
    this.#head(bytes.length, 0xa0, 32, 0xd9);
    this.#append(bytes);
  }

  arrayHead(count: number): void {
    this.#head(count, 0x90, 16, 0xdc - 1);
  }

  mapHead(count: number): void {
    this.#head(count, 0x80, 16, 0xde - 1);
  }

  bytes(data: Uint8Array): void {
    this.#head(data.length, 0, 0, 0xc4);
    this.#append(data);
  }

  extension(type: number, payload: Uint8Array): void {
    const fixed = [1, 2, 4, 8, 16].indexOf(payload.length);
    if (fixed >= 0) this.byte(0xd4 + fixed);
    else this.#head(payload.length, 0, 0, 0xc7);
    this.byte(type);
    this.#append(payload);
  }

  /** An extension whose length is known at its end only. Returns what `closeExtension` wants. */
  openExtension(type: number): number {
    this.#reserve(6);
    this.#bytes[this.length] = 0xc9;
    this.#bytes[this.length + 5] = type;
    this.length += 6;
    return this.length;
  }

  closeExtension(start: number): void {
    this.#view.setUint32(start - 5, this.length - start);
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.length, value);
    this.length += 4;
  }

  float64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.length, value);
    this.length += 8;
  }

  /** Zeros up to the next aligned place, then the data. One byte says how many zeros. */
  aligned(data: Uint8Array): void {
    const zeros = (ALIGNMENT - ((this.length + 1) % ALIGNMENT)) % ALIGNMENT;
    this.byte(zeros);
    this.#reserve(zeros);
    this.#bytes.fill(0, this.length, this.length + zeros);
    this.length += zeros;
    this.#append(data);
  }

  /** The bytes written; the writer may be used again after a small one. */
  take(): Uint8Array {
    const isLarge = this.length > 256 * 1024;
    const taken = isLarge
      ? this.#bytes.subarray(0, this.length)
      : this.#bytes.slice(0, this.length);
    if (isLarge) {
      this.#bytes = new Uint8Array(1024);
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.length = 0;
    return taken;
  }

  #unsigned(value: number): void {
    this.#reserve(5);
    const at = this.length;
    if (value < 0x80) {
      this.#bytes[at] = value;
      this.length += 1;
    } else if (value < 0x100) {
      this.#bytes[at] = 0xcc;
      this.#bytes[at + 1] = value;
      this.length += 2;
    } else if (value < 0x1_0000) {
      this.#bytes[at] = 0xcd;
      this.#view.setUint16(at + 1, value);
      this.length += 3;
    } else {
      this.#bytes[at] = 0xce;
      this.#view.setUint32(at + 1, value);
      this.length += 5;
    }
  }

  #negative(value: number): void {
    this.#reserve(5);
    const at = this.length;
    if (value >= -32) {
      this.#bytes[at] = value & 0xff;
      this.length += 1;
    } else if (value >= -0x80) {
      this.#bytes[at] = 0xd0;
      this.#view.setInt8(at + 1, value);
      this.length += 2;
    } else if (value >= -0x8000) {
      this.#bytes[at] = 0xd1;
      this.#view.setInt16(at + 1, value);
      this.length += 3;
    } else {
      this.#bytes[at] = 0xd2;
      this.#view.setInt32(at + 1, value);
      this.length += 5;
    }
  }

  #shortAscii(text: string): boolean {
    const start = this.length;
    this.#reserve(text.length + 2);
    let at = start;
    if (text.length < 32) this.#bytes[at++] = 0xa0 | text.length;
    else {
      this.#bytes[at++] = 0xd9;
      this.#bytes[at++] = text.length;
    }
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      this.#bytes[at++] = code;
    }
    this.length = at;
    return true;
  }

  /** False where it is something else: nothing was written then, for its length would have another form. */
  #ascii(text: string): boolean {
    if (text.length > IN_PLACE_LENGTH_MAX) return false;
    const start = this.length;
    this.#head(text.length, 0xa0, 32, 0xd9);
    this.#reserve(text.length);
    const end = this.length + text.length;
    const { read, written } = textEncoder.encodeInto(text, this.#bytes.subarray(this.length, end));
    const isAscii = read === text.length && written === text.length;
    this.length = isAscii ? end : start;
    return isAscii;
  }

  /** `small` below `limit`; else `sized` (8 bits), +1 (16 bits), +2 (32 bits). Arrays and maps have no 8-bit form. */
  #head(count: number, small: number, limit: number, sized: number): void {
    this.#reserve(5);
    const at = this.length;
    if (count < limit) {
      this.#bytes[at] = small | count;
      this.length += 1;
    } else if (count < 0x100 && limit !== 16) {
      this.#bytes[at] = sized;
      this.#bytes[at + 1] = count;
      this.length += 2;
    } else if (count < 0x1_0000) {
      this.#bytes[at] = sized + 1;
      this.#view.setUint16(at + 1, count);
      this.length += 3;
    } else {
      this.#bytes[at] = sized + 2;
      this.#view.setUint32(at + 1, count);
      this.length += 5;
    }
  }

  #append(data: Uint8Array): void {
    this.#reserve(data.length);
    this.#bytes.set(data, this.length);
    this.length += data.length;
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.#bytes.length) return;
    if (needed > ENCODED_BYTES_MAX) throw new TooLargeError();
    const size = Math.min(ENCODED_BYTES_MAX, Math.max(this.#bytes.length * 2, needed + 64));
    const slow = Buffer.allocUnsafeSlow(size);
    const grown = new Uint8Array(slow.buffer, slow.byteOffset, size);
    grown.set(this.#bytes.subarray(0, this.length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
