import type { Cid, CodeId, MemoKey, ResultId, RunId } from "./ids.ts";

/** A stored artifact as facts name it. */
export interface ArtifactRef {
  readonly id: Cid;
  /** Bytes of the encoded content (of the whole, if it is cut into chunks). */
  readonly bytes: number;
  /** What it is, for people: `number`, `Float64Array[150]`, `array[12]`, `object{3}`, `string[40]`, `bytes`, `file iris.csv`. */
  readonly kind: string;
}

/**
 * A finished task: what went in, what came out. Looked up by `memoKey` before a task runs.
 * memoKey = H(code id, input ids by name, environment id, seed, cache salt): see `memoKeyOf`. No run, no peer, no time is in it.
 */
export interface Fact {
  readonly v: 1;
  readonly memoKey: MemoKey;
  readonly flow: string;
  readonly step: string;
  readonly code: CodeId;
  /** Environment id: native packages, or the Python interpreter and its packages; "" for plain TypeScript. */
  readonly env: string;
  readonly seed: string;
  /** Input name ("*" for a whole handle) -> input id (see `inputId`). */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, ArtifactRef>>;
  /** Name of the peer that ran it; `local` without a daemon. */
  readonly by: string;
  /** When it finished, ms since 1970. */
  readonly at: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rssBytesMax: number;
  /** The run of `flow` whose attempt made it: nothing is looked up by it. Undefined in facts of version 0.1 and of element tables. */
  readonly run?: RunId;
  /** The content, signed by the peer that ran it, that lists this fact (src/trust). Undefined in facts of version 0.1. */
  readonly page?: Cid;
}

/** One fact among those of its memo key: a step that is not repeatable may have several. Without `result`: the latest. */
export interface FactRef {
  readonly memoKey: MemoKey;
  readonly result?: ResultId;
}

/**
 * Where one input value comes from. Content only: no run, no peer.
 * `path` leads to a property inside the artifact.
 */
export type InputSource =
  | { readonly k: "artifact"; readonly id: Cid; readonly path?: readonly string[] }
  /** A constant or a parameter: an encoded structured value. */
  | { readonly k: "bytes"; readonly id: Cid; readonly data: Uint8Array }
  /** collect(): one entry a task, in index order. */
  | { readonly k: "list"; readonly items: readonly InputSource[] }
  /** A whole handle: artifact name -> value. */
  | { readonly k: "object"; readonly fields: Readonly<Record<string, InputSource>> };

/** A task's inputs: by name, or `whole` where the step was given one handle as its inputs. */
export type TaskInputs =
  | { readonly whole: InputSource }
  | { readonly fields: Readonly<Record<string, InputSource>> };

/** What a fact needs beside it: the page that vouches for it first, then its outputs. */
export function contentsNamedBy({ page, outputs }: Fact): Cid[] {
  const ids = Object.values(outputs).map(({ id }) => id);
  return page === undefined ? ids : [page, ...ids];
}
