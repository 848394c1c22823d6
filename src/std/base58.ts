/** Base58 with Bitcoin's alphabet: no 0, O, I or l, nothing that a double click stops at. For what people read aloud and copy. */
const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const VALUES: ReadonlyMap<string, number> = new Map(
  Array.from(ALPHABET, (letter, value): [string, number] => [letter, value]),
);

export function base58Encode(data: Uint8Array): string {
  const digits: number[] = [];
  for (const byte of data) {
    let carry = byte;
    for (let i = 0; i < digits.length; i++) {
      carry += (digits[i] ?? 0) * 256;
      digits[i] = carry % 58;
      carry = Math.floor(carry / 58);
    }
    for (; carry > 0; carry = Math.floor(carry / 58)) digits.push(carry % 58);
  }
  const zeros = data.findIndex((byte) => byte !== 0);
  const text = digits.reverse().map((digit) => ALPHABET[digit] ?? "");
  return "1".repeat(zeros === -1 ? data.length : zeros) + text.join("");
}

/** Undefined where a character is not of the alphabet. Quadratic: the caller bounds the length. */
export function base58Decode(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (const letter of text) {
    const value = VALUES.get(letter);
    if (value === undefined) return undefined;
    let carry = value;
    for (let i = 0; i < bytes.length; i++) {
      carry += (bytes[i] ?? 0) * 58;
      bytes[i] = carry & 0xff;
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 0xff);
  }
  const zeros = /^1*/.exec(text)?.[0].length ?? 0;
  return Uint8Array.from([...Array.from({ length: zeros }, () => 0), ...bytes.reverse()]);
}
