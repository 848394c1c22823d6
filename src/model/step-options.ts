/** Step options after parsing: durations in ms, sizes in bytes. Options are not part of a step's identity, except `cache.salt`. */
export interface StepOptions {
  readonly retry: RetryPolicy;
  /** Undefined: no limit. */
  readonly timeoutMs?: number;
  readonly resources: Resources;
  readonly cache: CachePolicy;
  /** `process`: each attempt in a process of its own. */
  readonly isolation: "shared" | "process";
  /** A `catch` handler is present: a task that fails for good succeeds with its value. */
  readonly hasCatch: boolean;
  readonly doc?: string;
  /** At most this many tasks of the step at once. */
  readonly concurrency?: number;
  readonly env: Readonly<Record<string, string>>;
}

export interface RetryPolicy {
  /** Attempts after the first. */
  readonly times: number;
  readonly backoffMs: number;
  /** Wait before retry n (from 1) = backoffMs * factor^(n-1). */
  readonly factor: number;
}

export interface Resources {
  /** Cores, may be fractional. */
  readonly cpu: number;
  /** Undefined: the default limit (`memBytesDefault`) and no exclusive process. */
  readonly memBytes?: number;
  readonly gpu: number;
}

export interface CachePolicy {
  /** False: never looked up, still recorded. */
  readonly enabled: boolean;
  readonly ttlMs?: number;
  readonly salt?: string;
}

export const STEP_OPTIONS_DEFAULT: StepOptions = {
  retry: { times: 0, backoffMs: 0, factor: 2 },
  resources: { cpu: 1, gpu: 0 },
  cache: { enabled: true },
  isolation: "shared",
  hasCatch: false,
  env: {},
};
