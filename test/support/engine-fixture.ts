/** Small flows as plain graphs, and an engine over fakes to run them. */
import { cidOf } from "../../src/artifact/cid.ts";
import { encodeValue } from "../../src/artifact/codec.ts";
import type { FlowPackage, StepCode } from "../../src/code/flow-package.ts";
import { createEngine, type EngineDeps } from "../../src/engine/engine.ts";
import type { ParamValue, RunHandle, RunRequest, RunResult } from "../../src/engine/run-api.ts";
import { taskOutputs } from "../../src/engine/lookup/run-outputs.ts";
import { systemClock, type Clock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import type {
  ArmRef,
  FlowGraph,
  StepDeclaration,
  SwitchDeclaration,
  ValueRef,
} from "../../src/graph/flow-graph.ts";
import type { CodeId, RunRef } from "../../src/model/ids.ts";
import { STEP_OPTIONS_DEFAULT, type StepOptions } from "../../src/model/step-options.ts";
import { decodeValue } from "../../src/artifact/codec.ts";
import { FakeHosts, type FakeHostOptions, type FakeStep } from "./fake-hosts.ts";
import { FakeStore } from "./fake-store.ts";

export interface StepFixture {
  readonly name: string;
  readonly inputs?: Readonly<Record<string, ValueRef>>;
  readonly whole?: ValueRef;
  readonly levels?: readonly string[];
  readonly arms?: readonly ArmRef[];
  readonly options?: Partial<StepOptions>;
  readonly code?: string;
}

export const out = (step: string, ...path: string[]): ValueRef => ({ k: "out", step, path });
export const each = (of: ValueRef): ValueRef => ({ k: "each", of });
export const collect = (of: ValueRef): ValueRef => ({ k: "collect", of });
export const param = (name: string): ValueRef => ({ k: "param", name });
export const constant = (value: unknown): ValueRef => ({
  k: "const",
  data: Buffer.from(encodeValue(value).data).toString("base64"),
  text: String(value),
});

export interface FlowFixture {
  readonly name?: string;
  readonly params?: readonly string[];
  readonly steps: readonly StepFixture[];
  readonly switches?: readonly SwitchDeclaration[];
}

export function flowPackage(fixture: FlowFixture): FlowPackage {
  const steps: StepDeclaration[] = fixture.steps.map((step) => ({
    kind: "step",
    name: step.name,
    inputs: step.whole === undefined ? { fields: step.inputs ?? {} } : { whole: step.whole },
    options: { ...STEP_OPTIONS_DEFAULT, ...step.options },
    levels: step.levels ?? [],
    arms: step.arms ?? [],
  }));
  const graph: FlowGraph = {
    name: fixture.name ?? "test",
    params: (fixture.params ?? []).map((name) => ({ name, kind: "number" })),
    steps,
    switches: fixture.switches ?? [],
  };
  const codes = fixture.steps.map(
    (step) => [step.name, scriptCode(step.code ?? step.name)] as const,
  );
  return {
    graph,
    file: "/flows/test.ts",
    bundleId: "bundle",
    bundle: "",
    steps: Object.fromEntries(codes),
  };
}

function scriptCode(text: string): StepCode {
  return {
    kind: "script",
    codeId: text.padStart(64, "0") as CodeId,
    slice: "",
    isStateless: true,
    externals: [],
    resolveFrom: "/",
    at: "test.ts:1",
  };
}

export function paramValue(value: unknown): ParamValue {
  const { data } = encodeValue(value);
  return { id: cidOf("messagepack", data), data, text: String(value) };
}

export interface EngineFixture {
  readonly store: FakeStore;
  readonly hosts: FakeHosts;
  running(): readonly RunHandle[];
  start(fixture: FlowFixture, request?: Partial<RunRequest>): Promise<RunHandle>;
  startPackage(flow: FlowPackage, request: RunRequest): Promise<RunHandle>;
  run(fixture: FlowFixture, request?: Partial<RunRequest>): Promise<RunResult>;
  /** Outputs of a step's tasks of that run, in index order. */
  outputs(run: RunRef, step: string): Promise<Record<string, unknown>[]>;
}

export interface EngineFixtureOptions extends FakeHostOptions {
  readonly store?: FakeStore;
  readonly clock?: Clock;
  readonly deps?: Partial<EngineDeps>;
}

export function engineFixture(
  steps: Readonly<Record<string, FakeStep>>,
  options: EngineFixtureOptions = {},
): EngineFixture {
  const store = options.store ?? new FakeStore();
  const hosts = new FakeHosts(steps, options);
  const engine = createEngine({
    store,
    hosts,
    clock: options.clock ?? systemClock,
    random: systemRandom,
    logger: silentLogger,
    peer: "local",
    capacity: { cores: 2, memBytes: 8e9, gpus: 0 },
    ...options.deps,
  });
  const start = (fixture: FlowFixture, request: Partial<RunRequest> = {}): Promise<RunHandle> =>
    engine.start(flowPackage(fixture), { params: {}, user: "ada", ...request });
  return {
    store,
    hosts,
    running: () => engine.running(),
    start,
    startPackage: (flow, request) => engine.start(flow, request),
    run: async (fixture, request) => (await start(fixture, request)).finished,
    async outputs(run, step) {
      const tasks = await taskOutputs(store, run, step);
      return tasks.map(({ fact }) =>
        Object.fromEntries(
          Object.entries(fact.outputs).map(([name, ref]) => [
            name,
            decodeValue(store.durable.contents.get(ref.id) as Uint8Array),
          ]),
        ),
      );
    },
  };
}
