/**
 * Why nobody can be declared left by another: each daemon publishes the hash of a secret and says the secret when it leaves, so
 * whoever passes the goodbye on passes its proof on.
 */
import { createHash } from "node:crypto";

export const PROOF_BYTES = 16;

export function leaveCommitment(proof: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(proof).digest().subarray(0, PROOF_BYTES));
}

export function provesLeave(
  proof: Uint8Array | undefined,
  commitment: Uint8Array | undefined,
): boolean {
  if (proof === undefined || commitment === undefined) return false;
  if (proof.length !== PROOF_BYTES || commitment.length !== PROOF_BYTES) return false;
  return leaveCommitment(proof).every((byte, i) => byte === commitment[i]);
}
