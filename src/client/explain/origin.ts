/** Where a value comes from, as two lists: the facts behind it, and what went into each. `mf why --json` prints it. */
import type { ArtifactRef } from "../../model/fact.ts";

export interface Origin {
  /** As asked. */
  readonly of: string;
  /** The artifact's name, where one was asked for. */
  readonly artifact?: string;
  /** Ids of the facts that made it; several where a step of a foreach or content that several tasks made was asked for. */
  readonly roots: readonly string[];
  /** Roots that are not followed: there are too many. */
  readonly rootsLeftOut: number;
  readonly facts: readonly OriginFact[];
  readonly inputs: readonly OriginInput[];
}

/** A task of a run, and what it came to. */
export interface OriginFact {
  /** `flow/run/step[i]`. */
  readonly id: string;
  readonly run: string;
  readonly step: string;
  readonly index: readonly number[];
  readonly memoKey: string;
  readonly result: string;
  /** Code id, and where the step is written. */
  readonly code: string;
  readonly codeAt?: string;
  readonly env: string;
  readonly seed: string;
  /** When and by which peer it was made. */
  readonly at: number;
  readonly by: string;
  readonly wallMs: number;
  /** Who began the run. */
  readonly user: string;
  /** The run took it over; `madeIn` is the run that made it, where that is known. */
  readonly isReused: boolean;
  readonly madeIn?: string;
  readonly outputs: Readonly<Record<string, ArtifactRef>>;
  /** The tasks it read are named and not followed: it is too deep, or there are too many. */
  readonly isCut: boolean;
}

export interface OriginInput {
  /** Id of the fact that reads it. */
  readonly to: string;
  /** Of the input; `decision of NAME` for what a switch chose by. */
  readonly name: string;
  /** `load.xs`, `each(load.xs)`, `collect(fit)`, `params.n`. */
  readonly source: string;
  /** What stood there: a content id, or a digest of several; "" of a decision. */
  readonly id: string;
  readonly from: InputOrigin;
}

export type InputOrigin =
  | { readonly k: "task"; readonly fact: string; readonly artifact?: string }
  /** collect(): some of them, and how many there are in all. */
  | { readonly k: "tasks"; readonly facts: readonly string[]; readonly count: number }
  | { readonly k: "parameter"; readonly name: string; readonly text: string }
  | { readonly k: "constant"; readonly text: string }
  /** `fact`: the task of another run that made it, where that is still known. */
  | { readonly k: "version"; readonly pathspec: string; readonly fact?: string }
  | { readonly k: "source"; readonly name: string; readonly version: string }
  /** The code that says where it comes from is stored nowhere any more. */
  | { readonly k: "unknown" };
