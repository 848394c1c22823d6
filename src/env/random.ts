import { randomBytes } from "node:crypto";

/** Chance as a constructor argument, so that a simulator can supply a seeded one. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => randomBytes(count),
};
