/** Runs in a thread of its own: imports the bundled flow, builds its graph, finds its functions, checks parameters. */
import { dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import type { FlowGraph } from "../graph/flow-graph.ts";
import { isMfError, toErrorRecord } from "../model/errors.ts";
import type { EvaluationAnswer, EvaluationRequest, StepPlaces } from "./evaluator-messages.ts";
import { functionPlaces } from "./function-places.ts";
import { paramValues, type SchemaLike } from "./param-values.ts";
import { createSliceRequire } from "./slice-require.ts";

/** What src/flow puts behind `Symbol.for("meshflow.flow")` of a flow object. */
interface FlowDefinition {
  graph(tools: { encode(value: unknown): Uint8Array }): FlowGraph;
  readonly functions: ReadonlyMap<string, { readonly fn?: unknown; readonly catch?: unknown }>;
  readonly schemas: ReadonlyMap<string, SchemaLike>;
  readonly outSchemas: ReadonlyMap<string, SchemaLike>;
}

const request = workerData as EvaluationRequest;
let isAnswered = false;

function answer(message: EvaluationAnswer): void {
  if (isAnswered) return;
  isAnswered = true;
  parentPort?.postMessage(message);
}

function refuse(error: unknown): void {
  if (isMfError(error)) return answer({ kind: "refused", error: toErrorRecord(error) });
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  answer({
    kind: "threw",
    message,
    stack: (error instanceof Error ? error.stack : undefined) ?? message,
  });
}

/** A flow file that ends the process is told from one that fails, and shows where. */
function guardExit(): void {
  const exit = process.exit.bind(process);
  process.exit = (code): never => {
    refuse(new Error(`it called process.exit(${code ?? ""})`));
    return exit(code);
  };
}

async function evaluate(): Promise<void> {
  guardExit();
  process.on("uncaughtException", refuse);
  Reflect.set(
    globalThis,
    "require",
    createSliceRequire(dirname(request.flowFile), request.meshflowUrl),
  );
  const loaded = (await import(request.bundleUrl)) as { default?: object };
  const definition = definitionOf(loaded.default);
  if (definition === undefined) return answer({ kind: "not-a-flow" });
  const codec = (await import(request.codecUrl)) as {
    encodeValue(value: unknown): { data: Uint8Array };
  };
  const graph = definition.graph({ encode: (value) => codec.encodeValue(value).data });
  const params =
    request.params === undefined
      ? {}
      : await paramValues({
          graph,
          schemas: definition.schemas,
          texts: request.params,
          flowFile: request.flowFile,
          cwd: request.cwd,
          ...(request.settled === undefined ? {} : { settled: request.settled }),
        });
  const checked = [...definition.outSchemas.keys()];
  answer({ kind: "done", graph, places: placesOf(definition), checked, params });
}

function definitionOf(value: unknown): FlowDefinition | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null)
    return undefined;
  return Reflect.get(value, Symbol.for("meshflow.flow")) as FlowDefinition | undefined;
}

function placesOf(definition: FlowDefinition): Record<string, StepPlaces> {
  const entries = [...definition.functions];
  const places = functionPlaces(entries.flatMap(([, item]) => [item.fn, item.catch]));
  return Object.fromEntries(
    entries.map(([step, item], index) => {
      const fn = places[2 * index];
      const handler = places[2 * index + 1];
      const hasCatch = item.catch !== undefined;
      return [
        step,
        {
          ...(fn === undefined ? {} : { fn }),
          ...(handler === undefined ? {} : { catch: handler }),
          hasCatch,
        },
      ];
    }),
  );
}

evaluate().catch(refuse);
