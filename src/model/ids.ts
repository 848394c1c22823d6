/** Names of things, branded so that one cannot be passed for another. Parse once at the edge; inside, trust the brand. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** CIDv1 in base32 text. Codec raw (0x55): bytes and files as they are. Codec messagepack (0x0201): one structured value.
 *  Codec dag-json (0x0129): the manifest of an artifact that was cut into chunks. */
export type Cid = Brand<string, "Cid">;
/** sha-256 in hex. */
export type MemoKey = Brand<string, "MemoKey">;
/** sha-256 in hex of a step's slice (or, for Python, of its sources' syntax trees). */
export type CodeId = Brand<string, "CodeId">;
/** What a task came to: a digest of its outputs' names and ids. Two facts of one memo key with two result ids: the step is not repeatable. */
export type ResultId = Brand<string, "ResultId">;
/** The part behind the slash of `flow/id`: 10 characters of Crockford base32, random. */
export type RunId = Brand<string, "RunId">;

/** One run: `flow/id`. */
export interface RunRef {
  readonly flow: string;
  readonly id: RunId;
}

/** Where a task stands in its run. `index` has one number for each foreach level, outermost first. */
export interface TaskRef {
  readonly step: string;
  readonly index: readonly number[];
}

export function runText(run: RunRef): string {
  return `${run.flow}/${run.id}`;
}

/** `fit`, `fit[3]`, `cv[3,1]`. */
export function taskText(task: TaskRef): string {
  return task.index.length === 0 ? task.step : `${task.step}[${task.index.join(",")}]`;
}
