/** What a flow file becomes before it runs anywhere: its graph, and for each step the code that travels. */
import type { FlowGraph } from "../graph/flow-graph.ts";
import type { CodeId } from "../model/ids.ts";

export interface FlowPackage {
  readonly graph: FlowGraph;
  /** Absolute path of the flow file, for messages. */
  readonly file: string;
  /** sha-256 (hex) over the whole bundle: names the source version of a run. */
  readonly bundleId: string;
  /** The bundle itself, JavaScript text; stored with the run so that it can be repeated. */
  readonly bundle: string;
  readonly steps: Readonly<Record<string, StepCode>>;
}

/** How a step's function runs: see src/code/README.md for the evaluation rules. */
export type StepCode = ScriptCode | PythonCode;

export interface ScriptCode {
  readonly kind: "script";
  readonly codeId: CodeId;
  /** The user's statements the step reaches: a script that evaluates to
   *  `(scope, require) => { fn, catch?, out? }`, or a promise of it; evaluated afresh for every attempt unless `stateless`. */
  readonly slice: string;
  /** The packages' statements the step reaches: a script that evaluates to `(require) => Promise<scope> | scope`, evaluated once a
   *  thread; undefined where no package is reached. `scope` is an object of the names the slice uses. */
  readonly packages?: string;
  /** No module-level mutable state can be reached: the slice may be evaluated once a thread. */
  readonly isStateless: boolean;
  /** Packages that stay outside (native add-ons). Their names are resolved from `resolveFrom` by `require`. */
  readonly externals: readonly ExternalPackage[];
  /** Directory from which externals resolve. */
  readonly resolveFrom: string;
  /** `flow.ts:12`, for messages. */
  readonly at: string;
  /** Source map (JSON text) of `slice` to the user's files, if available, so that frames show the user's lines. */
  readonly sourceMap?: string;
}

export interface ExternalPackage {
  readonly name: string;
  readonly version: string;
  /** Integrity from the lock file, or "" where there is none. */
  readonly integrity: string;
}

export interface PythonCode {
  readonly kind: "python";
  readonly codeId: CodeId;
  /** Entry file (key of `files`) and function. */
  readonly entry: string;
  readonly fn: string;
  /** Path relative to the flow file's directory -> source text: the entry and the local modules it reaches. */
  readonly files: Readonly<Record<string, string>>;
  /** Distributions the step declares (`requires`), plus top-level names it imports that are neither local nor of the standard library. */
  readonly imports: readonly string[];
  readonly requires: readonly string[];
  /** JavaScript beside it: a slice like a step's, of the schema `out` and of the handler `catch`. */
  readonly beside?: ScriptCode;
}

/** The part of a step's identity that is not its slice: external packages; "" where there are none. */
export function environmentIdOf(code: StepCode): string {
  if (code.kind === "python") return "";
  return code.externals.map((item) => `${item.name}@${item.version}+${item.integrity}`).join(" ");
}
