/** Keys by code, as messages carry them: codes in a list, keys beside the position of theirs, never more than fit. */
import type { CodeId, MemoKey } from "../../src/model/ids.ts";
import { CODES_MAX, KEYS_MAX, type HeldByCode } from "../../src/wire/sharing-protocol.ts";
import type { CodeKeys } from "./desk-machine.ts";

export interface CodeKeysMessage {
  readonly codes: CodeId[];
  readonly held: HeldByCode;
}

/** What a message says; positions that name no code are passed over. */
export function codeKeysOf({ codes, held }: CodeKeysMessage): CodeKeys[] {
  return held.flatMap(({ at, keys }) => {
    const code = codes[at];
    return code === undefined ? [] : [{ code, keys }];
  });
}

/** Every code once at least, also those without keys. */
export function messagesOf(all: readonly CodeKeys[]): CodeKeysMessage[] {
  const messages: CodeKeysMessage[] = [];
  let codes: CodeId[] = [];
  let held: { at: number; keys: MemoKey[] }[] = [];
  let room = KEYS_MAX;
  const next = (): void => {
    if (codes.length > 0) messages.push({ codes, held });
    codes = [];
    held = [];
    room = KEYS_MAX;
  };
  for (const { code, keys } of all) {
    for (let from = 0; from === 0 || from < keys.length;) {
      if (room === 0 || codes.length === CODES_MAX) next();
      const some = keys.slice(from, from + room);
      if (some.length > 0) held.push({ at: codes.length, keys: some });
      codes.push(code);
      room -= some.length;
      from += Math.max(1, some.length);
    }
  }
  next();
  return messages;
}

/** Collects keys under their codes. */
export class CodeKeysMap {
  readonly #byCode = new Map<CodeId, MemoKey[]>();

  add(code: CodeId, key: MemoKey): void {
    const keys = this.#byCode.get(code);
    if (keys === undefined) this.#byCode.set(code, [key]);
    else keys.push(key);
  }

  all(): CodeKeys[] {
    return [...this.#byCode].map(([code, keys]) => ({ code, keys }));
  }
}
