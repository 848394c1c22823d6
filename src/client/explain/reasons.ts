/** Why a task has to run, as data: what `mf plan --json` gives, and what words are made of. */
import type { CodeChange } from "./code-diff.ts";

export type Reason =
  | { readonly k: "first"; readonly of: "flow" | "step" | "index"; readonly count?: number }
  | { readonly k: "code"; readonly changes: readonly CodeChange[] }
  /** Texts as the user gave them; where they are equal the content differs (a file's). */
  | {
      readonly k: "parameter";
      readonly name: string;
      readonly before?: string;
      readonly after?: string;
    }
  /** What another task made is not what it was. */
  | InputReason
  /** The input is wired to something else. */
  | {
      readonly k: "wiring";
      readonly input: string;
      readonly before?: string;
      readonly after?: string;
    }
  /** A from() stands for another version. */
  | {
      readonly k: "version";
      readonly pathspec: string;
      readonly before: VersionMade;
      readonly after: VersionMade;
    }
  /** A source is not what it was. */
  | { readonly k: "source"; readonly name: string; readonly before: string; readonly after: string }
  | { readonly k: "environment"; readonly changes: readonly EnvironmentChange[] }
  | { readonly k: "seed"; readonly before: string; readonly after: string }
  | { readonly k: "salt"; readonly before: string; readonly after: string }
  /** The step says `cache: false`. */
  | { readonly k: "cache-off" }
  /** `--no-cache`, `--rerun`. */
  | { readonly k: "asked"; readonly option: "--no-cache" | "--rerun" }
  /** The result is known and older than the step allows. */
  | { readonly k: "expired"; readonly madeAt: number; readonly ttlMs: number }
  /** The result is known, and nobody has these of its artifacts any more. */
  | { readonly k: "gone"; readonly artifacts: readonly string[] }
  /** The same was made before, and its record has been removed. */
  | { readonly k: "forgotten" };

export interface InputReason {
  readonly k: "input";
  readonly input: string;
  /** `load.xs`, `collect(fit)`. */
  readonly source: string;
  readonly before: string;
  readonly after: string;
  /** Of a list: how many there were, how many there are, and how many of them differ. */
  readonly counts?: { readonly before: number; readonly after: number; readonly changed: number };
  /** The first task that came to something else, and why it did; no reasons: it is not repeatable. */
  readonly maker?: {
    readonly task: string;
    readonly run: string;
    readonly by: string;
    readonly at: number;
    readonly because: readonly Reason[];
  };
}

export interface VersionMade {
  readonly id: string;
  /** The run that has it and the peer that made it, where they are known. */
  readonly run?: string;
  readonly by?: string;
}

export interface EnvironmentChange {
  readonly name: string;
  readonly before?: string;
  readonly after?: string;
}

/** What a task is compared with. */
export interface ComparedWith {
  readonly run: string;
  readonly at: number;
  readonly by: string;
  readonly memoKey: string;
}
