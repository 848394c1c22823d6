/** What `mf verify` found. Names of problems are stable: `mf verify --json` prints them. */
import type { SignerStanding } from "../control/read-side.ts";

export type ProblemKind =
  /** The journal's own chain of hashes does not hold, or its entries make no run. */
  | "journal-broken"
  /** The code of the run is not here, or is not what the journal names. */
  | "package-missing"
  | "package-differs"
  /** A step's code does not hash to its code id. */
  | "code-differs"
  /** The journal names a result of which there is no fact. */
  | "fact-missing"
  /** What a fact says is not what its keys are made of. */
  | "fact-differs"
  /** A task's inputs are not what the run's own tasks, parameters, constants and versions give. */
  | "inputs-differ"
  /** The journal has a task that the flow does not lead to. */
  | "task-unknown"
  /** Content that does not hash to its id. */
  | "content-differs"
  | "page-missing"
  /** No page, or its signature is not that of the peer it names. */
  | "page-broken"
  /** The page does not list the fact: one of them was altered. */
  | "not-on-page"
  /** A run of this home's mesh, signed by a peer that the mesh's issuer never certified. */
  | "signer-unknown";

export interface Problem {
  readonly kind: ProblemKind;
  /** `flow/run/step[index]`, `…/artifact`, or a content id. */
  readonly where: string;
  readonly detail: string;
}

export interface VerifyReport {
  /** `flow/id`. */
  readonly run: string;
  readonly state: string;
  readonly isOk: boolean;
  readonly counts: VerifyCounts;
  readonly signers: readonly SignerFound[];
  readonly problems: readonly Problem[];
  /** More than PROBLEMS_MAX are counted only. */
  readonly problemCount: number;
  /** Contents that are neither here nor at a peer that answers: told, not wrong. */
  readonly missing: readonly {
    readonly where: string;
    readonly id: string;
    readonly bytes: number;
  }[];
  /** What could not be checked, and why. */
  readonly notes: readonly string[];
}

export interface VerifyCounts {
  readonly entries: number;
  readonly tasks: number;
  /** Steps whose code was hashed again. */
  readonly codes: number;
  /** Tasks whose inputs were derived again from the run's beginning. */
  readonly traced: number;
  readonly signed: number;
  /** Of version 0.1: no page. */
  readonly unsigned: number;
  readonly contents: number;
  /** Hashed. */
  readonly bytes: number;
  readonly missing: number;
}

export interface SignerFound extends SignerStanding {
  readonly facts: number;
  /** Names under which it made them. */
  readonly by: readonly string[];
}

/** Of each list of a report. */
export const PROBLEMS_MAX = 1_000;

export class Findings {
  readonly problems: Problem[] = [];
  readonly notes = new Set<string>();
  count = 0;

  add(kind: ProblemKind, where: string, detail: string): void {
    this.count++;
    if (this.problems.length < PROBLEMS_MAX) this.problems.push({ kind, where, detail });
  }

  note(text: string): void {
    if (this.notes.size < PROBLEMS_MAX) this.notes.add(text);
  }
}

/** For people. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
