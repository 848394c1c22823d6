/**
 * Looks at MessagePack bytes before anything is allocated for them: depth, counts against the bytes that are left, lengths, no
 * extension types, nothing behind the value. A few bytes can otherwise ask a decoder for gigabytes.
 */

export const SCAN_DEPTH_MAX = 24;
export const SCAN_ITEMS_MAX = 200_000;

type WideForm =
  | { readonly k: "fixed"; readonly bytes: number }
  | { readonly k: "bytes"; readonly lengthBytes: 1 | 2 | 4 }
  | { readonly k: "many"; readonly lengthBytes: 2 | 4; readonly each: 1 | 2 };

/** First byte -> what follows, by the MessagePack specification; extension types and 0xc1 are left out on purpose. */
const WIDE_FORMS: ReadonlyMap<number, WideForm> = new Map<number, WideForm>([
  ...[0xc0, 0xc2, 0xc3].map((type): [number, WideForm] => [type, { k: "fixed", bytes: 0 }]),
  ...[0xcc, 0xd0].map((type): [number, WideForm] => [type, { k: "fixed", bytes: 1 }]),
  ...[0xcd, 0xd1].map((type): [number, WideForm] => [type, { k: "fixed", bytes: 2 }]),
  ...[0xca, 0xce, 0xd2].map((type): [number, WideForm] => [type, { k: "fixed", bytes: 4 }]),
  ...[0xcb, 0xcf, 0xd3].map((type): [number, WideForm] => [type, { k: "fixed", bytes: 8 }]),
  ...[0xc4, 0xd9].map((type): [number, WideForm] => [type, { k: "bytes", lengthBytes: 1 }]),
  ...[0xc5, 0xda].map((type): [number, WideForm] => [type, { k: "bytes", lengthBytes: 2 }]),
  ...[0xc6, 0xdb].map((type): [number, WideForm] => [type, { k: "bytes", lengthBytes: 4 }]),
  [0xdc, { k: "many", lengthBytes: 2, each: 1 }],
  [0xdd, { k: "many", lengthBytes: 4, each: 1 }],
  [0xde, { k: "many", lengthBytes: 2, each: 2 }],
  [0xdf, { k: "many", lengthBytes: 4, each: 2 }],
]);

/** Why the bytes must not be decoded; undefined where they may. */
export function scanFrame(data: Uint8Array): string | undefined {
  const scan = new FrameScan(data);
  scan.value(0);
  if (scan.fault === undefined && scan.at !== data.length) return "bytes behind the message";
  return scan.fault;
}

function isText(type: number | undefined): boolean {
  if (type === undefined) return false;
  return (type >= 0xa0 && type <= 0xbf) || (type >= 0xd9 && type <= 0xdb);
}

class FrameScan {
  at = 0;
  fault: string | undefined;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  #items = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  value(depth: number): void {
    if (depth > SCAN_DEPTH_MAX) return this.#fail("nested too deep");
    if (++this.#items > SCAN_ITEMS_MAX) return this.#fail("too many items");
    const type = this.#data[this.at++];
    if (type === undefined) return this.#fail("cut off");
    if (type <= 0x7f || type >= 0xe0) return;
    if (type <= 0x8f) return this.#many(type & 0x0f, 2, depth);
    if (type <= 0x9f) return this.#many(type & 0x0f, 1, depth);
    if (type <= 0xbf) return this.#skip(type & 0x1f);
    this.#wide(type, depth);
  }

  #wide(type: number, depth: number): void {
    const form = WIDE_FORMS.get(type);
    if (form === undefined) return this.#fail("a type that no message has");
    if (form.k === "fixed") return this.#skip(form.bytes);
    const length = this.#length(form.lengthBytes);
    if (form.k === "bytes") return this.#skip(length);
    this.#many(length, form.each, depth);
  }

  /** Every item takes at least one byte, so a count above what is left is a lie. */
  #many(count: number, each: number, depth: number): void {
    if (count * each > this.#data.length - this.at) return this.#fail("a count beyond its bytes");
    for (let i = 0; i < count * each && this.fault === undefined; i++) {
      // A decoder that makes objects of maps has no room for other keys.
      if (each === 2 && i % 2 === 0 && !isText(this.#data[this.at]))
        return this.#fail("a key that is no text");
      this.value(depth + 1);
    }
  }

  #length(bytes: 1 | 2 | 4): number {
    if (this.at + bytes > this.#data.length) {
      this.#fail("cut off");
      return 0;
    }
    const at = this.at;
    this.at += bytes;
    if (bytes === 1) return this.#view.getUint8(at);
    return bytes === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #skip(bytes: number): void {
    if (bytes > this.#data.length - this.at) return this.#fail("cut off");
    this.at += bytes;
  }

  #fail(fault: string): void {
    this.fault ??= fault;
  }
}
