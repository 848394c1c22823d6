/**
 * Steps' code between peers: an owner offers what its batches run, a worker asks once for each code and owner. Codes of other owners
 * are kept apart, so that none can pass its code for another's.
 */
import type { StepCode } from "../../src/code/flow-package.ts";
import { MfError } from "../../src/model/errors.ts";
import type { CodeId } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { CODE } from "../../src/wire/placement-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { CODE_CHARS_MAX, GRANT_MS_MAX, OFFERED_CODES_MAX } from "./placement-limits.ts";

export class CodeShelf {
  readonly #transport: Transport;
  readonly #offered = new Map<CodeId, StepCode>();
  readonly #fetched = new Map<string, StepCode>();
  readonly #asked = new Map<string, Promise<StepCode>>();
  #chars = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.handle(CODE, async (_from, { codeId }) => {
      const code = this.#offered.get(codeId);
      if (code === undefined)
        throw new MfError("NOT_AVAILABLE", { what: `code ${codeId}`, hint: "Its run is over." });
      return { code: copyOf(code) };
    });
  }

  offer(code: StepCode): void {
    this.#offered.delete(code.codeId);
    this.#offered.set(code.codeId, code);
    for (const oldest of this.#offered.keys()) {
      if (this.#offered.size <= OFFERED_CODES_MAX) return;
      this.#offered.delete(oldest);
    }
  }

  /** @throws MfError PEER_UNREACHABLE, PEER_TIMEOUT, NOT_AVAILABLE, PEER_MISBEHAVED */
  async codeOf(owner: PeerId, codeId: CodeId): Promise<StepCode> {
    const key = `${owner} ${codeId}`;
    const known = this.#fetched.get(key);
    if (known !== undefined) {
      this.#fetched.delete(key);
      this.#fetched.set(key, known);
      return known;
    }
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = this.#fetch(owner, codeId, key).finally(() => this.#asked.delete(key));
      this.#asked.set(key, asked);
    }
    return asked;
  }

  async #fetch(owner: PeerId, codeId: CodeId, key: string): Promise<StepCode> {
    const options = { timeoutMs: GRANT_MS_MAX };
    const { code } = await this.#transport.request(owner, CODE, { codeId }, options);
    if (code.codeId !== codeId)
      throw new MfError("PEER_MISBEHAVED", {
        peer: owner,
        what: "a question for code",
        reason: "other code",
      });
    this.#fetched.set(key, code);
    this.#chars += charsOf(code);
    for (const [oldest, old] of this.#fetched) {
      if (this.#chars <= CODE_CHARS_MAX || oldest === key) break;
      this.#fetched.delete(oldest);
      this.#chars -= charsOf(old);
    }
    return code;
  }
}

/** Mutable arrays, as the message's schema has them; nothing is changed. */
function copyOf(code: StepCode): Parameters<typeof CODE.answer.encode>[0]["code"] {
  if (code.kind === "script") return { ...code, externals: [...code.externals] };
  const { beside, ...rest } = code;
  const copy = { ...rest, imports: [...code.imports], requires: [...code.requires] };
  return beside === undefined
    ? copy
    : { ...copy, beside: { ...beside, externals: [...beside.externals] } };
}

function charsOf(code: StepCode): number {
  if (code.kind === "script")
    return code.slice.length + (code.packages?.length ?? 0) + (code.sourceMap?.length ?? 0);
  const own = Object.values(code.files).reduce((sum, text) => sum + text.length, 0);
  return own + (code.beside === undefined ? 0 : charsOf(code.beside));
}
