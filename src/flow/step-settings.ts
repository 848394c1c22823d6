/** Step options as people write them ('10m', '4GB'), read into the plain numbers the engine works with. */
import { SIZE_BYTES } from "../model/size-units.ts";
import type { GraphProblem } from "../graph/graph-problem.ts";
import { STEP_OPTIONS_DEFAULT } from "../model/step-options.ts";
import type { CachePolicy, Resources, RetryPolicy, StepOptions } from "../model/step-options.ts";

/** `'500ms'`, `'2s'`, `'10m'`, `'1h'`, `'7d'`. */
export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;
/** `'512MB'`, `'4GB'`; 1 KB is 1024 bytes, as memory is counted. */
export type Size = `${number}${"B" | "KB" | "MB" | "GB" | "TB"}`;

export interface StepSettings {
  /** Attempts after the first, or how to space them: wait before retry n = backoff * factor^(n-1). @default 0 */
  readonly retry?:
    | number
    | { readonly times: number; readonly backoff?: Duration; readonly factor?: number };
  /** An attempt that runs longer is stopped and counts as failed. @default none */
  readonly timeout?: Duration;
  /** What one attempt needs. Declaring `mem` or `gpu` gives each attempt a process of its own. @default one core */
  readonly resources?: { readonly cpu?: number; readonly mem?: Size; readonly gpu?: number };
  /** false: always run. `ttl`: reuse only results younger than that. `salt`: part of the identity; change it to run again. @default true */
  readonly cache?: boolean | { readonly ttl?: Duration; readonly salt?: string };
  /** `process`: each attempt in a process of its own. @default 'shared' */
  readonly isolation?: "shared" | "process";
  /** At most this many tasks of the step at once. @default as many as fit */
  readonly concurrency?: number;
  /** Environment variables the step sees besides the usual ones. Not part of its identity. */
  readonly env?: Readonly<Record<string, string>>;
  /** One line about the step, shown in diagrams. */
  readonly doc?: string;
}

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const NAMES = new Set([
  "retry",
  "timeout",
  "resources",
  "cache",
  "isolation",
  "concurrency",
  "env",
  "doc",
  "catch",
]);
const RESOURCE_NAMES = new Set(["cpu", "mem", "gpu"]);

/** What a settings object says, and what is wrong with it. Types refuse most of this; plain JavaScript gets here. */
export class SettingsReader {
  readonly problems: GraphProblem[] = [];
  readonly #step: string;

  constructor(step: string) {
    this.#step = step;
  }

  read(
    settings: Readonly<Record<string, unknown>>,
    alsoAllowed: readonly string[] = [],
  ): StepOptions {
    for (const name of Object.keys(settings)) {
      if (!NAMES.has(name) && !alsoAllowed.includes(name)) {
        this.#refuse(
          name,
          "is no option of a step",
          `Options are: ${[...NAMES, ...alsoAllowed].join(", ")}.`,
        );
      }
    }
    const timeoutMs = this.#duration("timeout", settings["timeout"]);
    const concurrency = this.#number("concurrency", settings["concurrency"], 1);
    const doc = this.#text("doc", settings["doc"]);
    return {
      retry: this.#retry(settings["retry"]),
      resources: this.#resources(settings["resources"]),
      cache: this.#cache(settings["cache"]),
      isolation: this.#isolation(settings["isolation"]),
      hasCatch: this.#hasCatch(settings["catch"]),
      env: this.#env(settings["env"]),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(concurrency === undefined ? {} : { concurrency: Math.floor(concurrency) }),
      ...(doc === undefined ? {} : { doc }),
    };
  }

  #retry(value: unknown): RetryPolicy {
    const standard = STEP_OPTIONS_DEFAULT.retry;
    if (value === undefined) return standard;
    if (typeof value === "number") return { ...standard, times: this.#count("retry", value) };
    if (!isRecord(value)) {
      this.#refuse(
        "retry",
        `is ${show(value)}`,
        "Write retry: 3 or retry: { times: 3, backoff: '2s' }.",
      );
      return standard;
    }
    return {
      times: this.#count("retry.times", value["times"]),
      backoffMs: this.#duration("retry.backoff", value["backoff"]) ?? standard.backoffMs,
      factor: this.#number("retry.factor", value["factor"], 1) ?? standard.factor,
    };
  }

  #resources(value: unknown): Resources {
    const standard = STEP_OPTIONS_DEFAULT.resources;
    if (value === undefined) return standard;
    if (!isRecord(value)) {
      this.#refuse("resources", `is ${show(value)}`, "Write resources: { cpu: 2, mem: '4GB' }.");
      return standard;
    }
    for (const name of Object.keys(value)) {
      if (!RESOURCE_NAMES.has(name))
        this.#refuse(`resources.${name}`, "is unknown", "Resources are cpu, mem and gpu.");
    }
    const memBytes = this.#size("resources.mem", value["mem"]);
    return {
      cpu: this.#number("resources.cpu", value["cpu"], 0) ?? standard.cpu,
      gpu: this.#number("resources.gpu", value["gpu"], 0) ?? standard.gpu,
      ...(memBytes === undefined ? {} : { memBytes }),
    };
  }

  #cache(value: unknown): CachePolicy {
    if (value === undefined) return STEP_OPTIONS_DEFAULT.cache;
    if (typeof value === "boolean") return { enabled: value };
    if (!isRecord(value)) {
      this.#refuse(
        "cache",
        `is ${show(value)}`,
        "Write cache: false or cache: { ttl: '1d', salt: 'v2' }.",
      );
      return STEP_OPTIONS_DEFAULT.cache;
    }
    const ttlMs = this.#duration("cache.ttl", value["ttl"]);
    const salt = this.#text("cache.salt", value["salt"]);
    return {
      enabled: true,
      ...(ttlMs === undefined ? {} : { ttlMs }),
      ...(salt === undefined ? {} : { salt }),
    };
  }

  #isolation(value: unknown): "shared" | "process" {
    if (value === undefined || value === "shared" || value === "process") return value ?? "shared";
    this.#refuse("isolation", `is ${show(value)}`, "Write isolation: 'process' or leave it out.");
    return "shared";
  }

  #hasCatch(value: unknown): boolean {
    if (value === undefined) return false;
    if (typeof value !== "function") {
      this.#refuse(
        "catch",
        `is ${show(value)}`,
        "Write catch: (error, inputs) => ({ ok: false }).",
      );
    }
    return true;
  }

  #env(value: unknown): Readonly<Record<string, string>> {
    if (value === undefined) return {};
    if (isRecord(value) && Object.values(value).every((item) => typeof item === "string")) {
      return { ...value } as Record<string, string>;
    }
    this.#refuse("env", `is ${show(value)}`, "Write env: { NAME: 'text' }.");
    return {};
  }

  #duration(name: string, value: unknown): number | undefined {
    return this.#unit({
      name,
      value,
      units: DURATION_MS,
      remedy: "Write a duration such as '30s', '10m' or '2h'.",
    });
  }

  #size(name: string, value: unknown): number | undefined {
    return this.#unit({
      name,
      value,
      units: SIZE_BYTES,
      remedy: "Write a size such as '512MB' or '4GB'.",
    });
  }

  #unit(given: {
    name: string;
    value: unknown;
    units: Readonly<Record<string, number>>;
    remedy: string;
  }): number | undefined {
    if (given.value === undefined) return undefined;
    const match =
      typeof given.value === "string" ? /^(\d+(?:\.\d+)?)([a-zA-Z]+)$/.exec(given.value) : null;
    const factor = given.units[match?.[2] ?? ""];
    if (match === null || factor === undefined || Number(match[1]) <= 0) {
      this.#refuse(given.name, `is ${show(given.value)}`, given.remedy);
      return undefined;
    }
    return Math.round(Number(match[1]) * factor);
  }

  #count(name: string, value: unknown): number {
    if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
    this.#refuse(name, `is ${show(value)}`, "Write a whole number, 0 or more.");
    return 0;
  }

  #number(name: string, value: unknown, min: number): number | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value >= min) return value;
    this.#refuse(name, `is ${show(value)}`, `Write a number, ${min} or more.`);
    return undefined;
  }

  #text(name: string, value: unknown): string | undefined {
    if (value === undefined || typeof value === "string") return value;
    this.#refuse(name, `is ${show(value)}`, "Write a text.");
    return undefined;
  }

  #refuse(option: string, what: string, remedy: string): void {
    this.problems.push({
      code: "OPTION_INVALID",
      step: this.#step,
      message: `Option "${option}" of step "${this.#step}" ${what}.`,
      remedy,
    });
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in a message: short, and never the output of a user's own toString. */
export function show(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value);
  if (value === null || ["number", "boolean", "undefined", "bigint"].includes(typeof value))
    return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "function" ? "a function" : "an object";
}
