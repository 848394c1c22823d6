/**
 * What a failed dial says of the peer. `refused` is the strongest word: its machine answered that nobody listens, so it is said
 * only where every address said so.
 */
import type { DialFailure } from "../../src/wire/transport.ts";

const UNREACHABLE = new Set(["EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ENOTFOUND"]);

/** Depth to which causes are followed: libp2p wraps two or three times. */
const DEPTH_MAX = 6;

export function dialFailure(error: unknown): DialFailure {
  const kinds = leaves(error, DEPTH_MAX).map(kindOf);
  const [first] = kinds;
  if (first === undefined) return "other";
  if (kinds.includes("denied")) return "denied";
  if (kinds.every((kind) => kind === first)) return first;
  // Mixed: the milder word, because a wrong `refused` would declare a living daemon gone.
  return ["timeout", "unreachable", "other"].find(isAmong(kinds)) ?? "other";
}

function isAmong(kinds: readonly DialFailure[]): (kind: string) => kind is DialFailure {
  return (kind): kind is DialFailure => kinds.some((other) => other === kind);
}

/** libp2p hides the socket's error in an AggregateError, a cause, or both. */
function leaves(error: unknown, depth: number): unknown[] {
  if (depth === 0) return [error];
  if (error instanceof AggregateError)
    return error.errors.flatMap((inner: unknown) => leaves(inner, depth - 1));
  if (error instanceof Error && codeOf(error) === undefined && error.cause !== undefined)
    return leaves(error.cause, depth - 1);
  return [error];
}

function kindOf(error: unknown): DialFailure {
  if (!(error instanceof Error)) return "other";
  const code = codeOf(error);
  if (code === "ECONNREFUSED" || error.message.includes("ECONNREFUSED")) return "refused";
  if (code !== undefined && UNREACHABLE.has(code)) return "unreachable";
  if (code === "ETIMEDOUT" || isTimeout(error)) return "timeout";
  // Somebody else listens where the peer once did.
  if (/identity|peer ?id|dial self/iu.test(error.message)) return "other";
  // A Noise handshake that cannot be decrypted: the other side knows another secret, or none.
  if (error.name === "EncryptionFailedError" && /decrypt|handshake|poly1305/iu.test(error.message))
    return "denied";
  return "other";
}

/** libp2p puts the timeout of a handshake into the message of another error. */
function isTimeout(error: Error): boolean {
  if (error.name === "TimeoutError" || error.name === "AbortError") return true;
  return error.message.includes("aborted due to timeout");
}

function codeOf(error: Error): string | undefined {
  const code: unknown = "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
