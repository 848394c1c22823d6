/** Evaluates a bundled flow in a thread with a time limit and brings back its graph and the places of its functions. */
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import type { Clock } from "../env/clock.ts";
import type { FlowGraph } from "../graph/flow-graph.ts";
import { fromErrorRecord, isMfError, MfError } from "../model/errors.ts";
import type { EvaluationAnswer, EvaluationRequest, StepPlaces } from "./evaluator-messages.ts";
import type { FlowModule } from "./flow-module.ts";
import type { ParamValue } from "./param-values.ts";
import { createSliceRequire } from "./slice-require.ts";
import { child, nameOf } from "./syntax.ts";
import { EditedText, type TextEdit } from "./text-edits.ts";

export interface EvaluateOptions {
  readonly params?: Readonly<Record<string, string>>;
  readonly settled?: readonly string[];
  readonly cacheDir?: string;
  readonly signal?: AbortSignal;
  readonly meshflowUrl: string;
  readonly codecUrl: string;
  readonly timeLimitMs: number;
  readonly clock: Clock;
}

export interface EvaluatedFlow {
  readonly graph: FlowGraph;
  readonly params: Readonly<Record<string, ParamValue>>;
  /** Step -> offsets of its functions in the bundle; undefined where a function is not in the bundle. */
  readonly functions: Readonly<
    Record<string, { readonly fn?: number; readonly catch?: number; readonly hasCatch: boolean }>
  >;
  /** Python steps that have an `out` schema. */
  readonly checked: readonly string[];
}

export async function evaluateFlow(
  module: FlowModule,
  options: EvaluateOptions,
): Promise<EvaluatedFlow> {
  const edited = new EditedText(module.bundle.text, [
    ...module.edits,
    ...importEdits(module, options.meshflowUrl),
  ]);
  const parent = options.cacheDir ?? tmpdir();
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, "mf-flow-"));
  try {
    const file = join(directory, "flow.mjs");
    await writeFile(file, edited.text);
    const bundleUrl = pathToFileURL(file).href;
    const { params, settled, meshflowUrl, codecUrl } = options;
    const request = {
      bundleUrl,
      flowFile: module.bundle.file,
      cwd: process.cwd(),
      meshflowUrl,
      codecUrl,
      ...(params === undefined ? {} : { params }),
      ...(settled === undefined ? {} : { settled }),
    };
    const answer = await ask(request, module.bundle.file, options);
    if (answer.kind !== "done") throw refusal(answer, { module, edited, bundleUrl });
    return {
      graph: answer.graph,
      params: answer.params,
      checked: answer.checked,
      functions: offsets(answer.places, edited, bundleUrl),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Points every import that stays outside at the file it means. */
function importEdits(module: FlowModule, meshflowUrl: string): TextEdit[] {
  const { bundle } = module;
  const require = createSliceRequire(bundle.directory, meshflowUrl);
  const edits: TextEdit[] = [];
  for (const unit of module.units) {
    const source = unit.kind === "import" ? child(unit.node, "source") : undefined;
    const name = nameOf(source);
    if (source === undefined || name === undefined) continue;
    const isOurs = name === "meshflow" || name.startsWith("meshflow/");
    if (!isOurs && !bundle.externals.has(name)) continue;
    edits.push({
      start: source.start,
      end: source.end,
      text: JSON.stringify(require.file(bundle.file).resolve(name)),
    });
  }
  return edits;
}

async function ask(
  request: EvaluationRequest,
  file: string,
  options: EvaluateOptions,
): Promise<EvaluationAnswer> {
  if (options.signal?.aborted === true) throw new MfError("INTERRUPTED");
  const worker = new Worker(new URL("./evaluator-thread.js", import.meta.url), {
    workerData: request,
    stdout: true,
    stderr: true,
  });
  // Standard output belongs to the command that evaluates the flow.
  worker.stdout.pipe(process.stderr, { end: false });
  worker.stderr.pipe(process.stderr, { end: false });
  const stop = new AbortController();
  const limit = new Promise<never>((_, reject) => {
    const cancel = options.clock.after(options.timeLimitMs, () => {
      const reason = `it did not finish within ${options.timeLimitMs / 1000} s (an endless loop or a long computation at module level)`;
      reject(new MfError("FLOW_EVALUATION_FAILED", { file, reason }));
    });
    const interrupt = (): void => reject(new MfError("INTERRUPTED"));
    options.signal?.addEventListener("abort", interrupt, { once: true });
    stop.signal.addEventListener("abort", () => {
      cancel();
      options.signal?.removeEventListener("abort", interrupt);
    });
  });
  const ended = (async (): Promise<EvaluationAnswer> => {
    const [code] = (await once(worker, "exit", { signal: stop.signal })) as [number];
    const reason =
      code === 0 || code === 13
        ? "it waits at module level for something that never happens"
        : `its thread ended (${code})`;
    throw new MfError("FLOW_EVALUATION_FAILED", { file, reason });
  })();
  const answered = once(worker, "message", { signal: stop.signal }).then(
    ([message]) => message as EvaluationAnswer,
  );
  try {
    return await Promise.race([answered, ended, limit]);
  } catch (error) {
    if (isMfError(error)) throw error;
    throw new MfError(
      "FLOW_EVALUATION_FAILED",
      { file, reason: error instanceof Error ? error.message : String(error) },
      { cause: error },
    );
  } finally {
    for (const pending of [answered, ended, limit]) pending.catch(() => undefined);
    stop.abort();
    await worker.terminate();
  }
}

interface EvaluationContext {
  readonly module: FlowModule;
  readonly edited: EditedText;
  readonly bundleUrl: string;
}

function refusal(
  answer: Exclude<EvaluationAnswer, { kind: "done" }>,
  context: EvaluationContext,
): MfError {
  const { file } = context.module.bundle;
  if (answer.kind === "not-a-flow") return new MfError("FLOW_NOT_EXPORTED", { file });
  if (answer.kind === "refused") {
    const { code, details } = answer.error;
    return fromErrorRecord({
      ...answer.error,
      code,
      details: code === "GRAPH_INVALID" ? { ...details, file } : { file, ...details },
    });
  }
  const frames = userFrames(answer.stack, context);
  const [at] = frames;
  const error = new MfError("FLOW_EVALUATION_FAILED", {
    file,
    reason: at === undefined ? answer.message : `${answer.message} (${at})`,
    frames,
  });
  error.stack = [answer.message, ...frames.map((frame) => `    at ${frame}`)].join("\n");
  return error;
}

/** The frames in the user's files, as `lib.ts:3:7`; frames of packages follow them. */
function userFrames(stack: string, { module, edited, bundleUrl }: EvaluationContext): string[] {
  const places = stack.split(`${bundleUrl}:`).slice(1);
  const files = places.flatMap((text) => {
    const [, line, column] = /^(\d+):(\d+)/.exec(text) ?? [];
    if (line === undefined || column === undefined) return [];
    const place = edited.sourcePlace(Number(line) - 1, Number(column) - 1);
    const found = module.map.find(place.line, place.column);
    return found === undefined ? [] : [`${found.file}:${found.line}:${found.column}`];
  });
  const isPackage = (frame: string): boolean => frame.includes("node_modules/");
  return [...files.filter((frame) => !isPackage(frame)), ...files.filter(isPackage)];
}

function offsets(
  places: Readonly<Record<string, StepPlaces>>,
  edited: EditedText,
  bundleUrl: string,
): EvaluatedFlow["functions"] {
  const offset = (place: StepPlaces["fn"]): number | undefined =>
    place?.url === bundleUrl ? edited.sourceOffset(place.line, place.column) : undefined;
  return Object.fromEntries(
    Object.entries(places).map(([step, item]) => {
      const fn = offset(item.fn);
      const handler = offset(item.catch);
      return [
        step,
        {
          hasCatch: item.hasCatch,
          ...(fn === undefined ? {} : { fn }),
          ...(handler === undefined ? {} : { catch: handler }),
        },
      ];
    }),
  );
}
