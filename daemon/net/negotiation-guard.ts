/**
 * Watches what a stranger says before anything is agreed: libp2p reads the length of a multistream message byte by byte without an end,
 * on the main loop, so one connection that sends a megabyte of 0xff costs seconds. Messages of a negotiation are short: a length of
 * one or two bytes, a protocol's name.
 */
const LENGTH_BYTES_MAX = 2;
/** libp2p's own bound, which it checks after the length is read. */
const MESSAGE_BYTES_MAX = 1024;
/** What a negotiation takes, refused names included; a dialler of ours needs two messages. */
const MESSAGES_MAX = 16;

export type NegotiationVerdict = "more" | "agreed" | "malformed";

export class NegotiationGuard {
  /** Names after which the bytes are another protocol's. */
  readonly #agreed: ReadonlySet<string>;
  #length = 0;
  #lengthBytes = 0;
  #isInMessage = false;
  #message = "";
  #messages = 0;
  #verdict: NegotiationVerdict = "more";

  constructor(agreed: readonly string[]) {
    this.#agreed = new Set(agreed);
  }

  /** The next bytes, cut anywhere. */
  push(data: Iterable<number>): NegotiationVerdict {
    for (const byte of data) {
      if (this.#verdict !== "more") break;
      if (this.#isInMessage) this.#takeText(byte);
      else this.#takeLength(byte);
    }
    return this.#verdict;
  }

  #takeLength(byte: number): void {
    this.#length += (byte & 0x7f) << (7 * this.#lengthBytes++);
    if (byte < 0x80) this.#isInMessage = true;
    else if (this.#lengthBytes === LENGTH_BYTES_MAX) this.#verdict = "malformed";
    const isBad = this.#isInMessage && (this.#length === 0 || this.#length > MESSAGE_BYTES_MAX);
    if (isBad) this.#verdict = "malformed";
  }

  #takeText(byte: number): void {
    this.#message += String.fromCharCode(byte);
    if (this.#message.length < this.#length) return;
    if (this.#agreed.has(this.#message.trimEnd())) this.#verdict = "agreed";
    else if (++this.#messages === MESSAGES_MAX) this.#verdict = "malformed";
    this.#message = "";
    this.#length = 0;
    this.#lengthBytes = 0;
    this.#isInMessage = false;
  }
}

/** A libp2p connection as its transport feeds it. */
interface FedStream {
  onData(data: Uint8Array | Iterable<number>): void;
  abort(error: Error): void;
}

/** Puts a guard in front of what arrives on it, until the negotiation is over. False where it is fed in another way. */
export function guardNegotiation(stream: object, agreed: readonly string[]): boolean {
  if (!isFed(stream)) return false;
  const guard = new NegotiationGuard(agreed);
  const pass = stream.onData.bind(stream);
  stream.onData = (data) => {
    const verdict = guard.push(data);
    if (verdict !== "more") stream.onData = verdict === "agreed" ? pass : () => undefined;
    if (verdict === "malformed") stream.abort(new Error("it negotiates nothing"));
    else pass(data);
  };
  return true;
}

function isFed(stream: object): stream is FedStream {
  return (
    "onData" in stream &&
    typeof stream.onData === "function" &&
    "abort" in stream &&
    typeof stream.abort === "function"
  );
}
