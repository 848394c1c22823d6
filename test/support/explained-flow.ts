/** A flow of real files over fake hosts: run it, edit it, and ask what it would do or where a value comes from. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { encodeValue } from "../../src/artifact/codec.ts";
import { cidOf } from "../../src/artifact/cid.ts";
import { localReadSide } from "../../src/client/control/local-read-side.ts";
import { planRun, type PlanRequest } from "../../src/client/plan/plan-run.ts";
import { planText, stepLines, stepSentence } from "../../src/client/plan/plan-words.ts";
import type { RunPlan } from "../../src/client/plan/run-plan.ts";
import { Records } from "../../src/client/records.ts";
import { loadFlow, type LoadedFlow } from "../../src/code/load-flow.ts";
import type { ParamValue, RunRequest, RunResult } from "../../src/engine/run-api.ts";
import { engineFixture, type EngineFixture } from "./engine-fixture.ts";
import type { FakeStep } from "./fake-hosts.ts";
import { ManualClock } from "./manual-clock.ts";

export interface Told {
  readonly params?: Readonly<Record<string, string>>;
  readonly request?: Partial<RunRequest>;
  readonly environments?: PlanRequest["environments"];
  /** Instead of flow.ts. */
  readonly file?: string;
}

export class ExplainedFlow {
  readonly clock = new ManualClock();
  readonly engine: EngineFixture;
  readonly records: Records;
  readonly #directory = mkdtempSync(join(tmpdir(), "mf-explained-"));
  readonly #files: Readonly<Record<string, string>>;

  constructor(
    t: TestContext,
    files: Readonly<Record<string, string>>,
    steps: Readonly<Record<string, FakeStep>>,
  ) {
    t.after(() => rmSync(this.#directory, { recursive: true, force: true }));
    this.#files = files;
    this.engine = engineFixture(steps, { clock: this.clock });
    this.records = new Records(localReadSide(this.engine.store));
    this.reset();
  }

  reset(): void {
    for (const [name, text] of Object.entries(this.#files))
      writeFileSync(join(this.#directory, name), text);
  }

  /** As an editor does: one text becomes another, everywhere in the file. */
  edit(name: string, from: string, to: string): void {
    const text = this.#files[name] ?? "";
    if (!text.includes(from)) throw new Error(`${name} has no ${from}`);
    writeFileSync(
      join(this.#directory, name),
      text.replaceAll(from, () => to),
    );
  }

  async run(told: Told = {}): Promise<RunResult> {
    const loaded = await this.#load(told);
    this.clock.advance(60_000);
    const request = { params: paramsOf(loaded), user: "ada", ...told.request };
    const handle = await this.engine.startPackage(loaded.package, request);
    return handle.finished;
  }

  async plan(told: Told = {}): Promise<RunPlan> {
    const loaded = await this.#load(told);
    return planRun(
      { records: this.records, clock: this.clock },
      {
        flowPackage: loaded.package,
        request: { params: paramsOf(loaded), ...told.request },
        environments: told.environments ?? {},
      },
    );
  }

  /** `load: runs; parameter n: 6 -> 7`, a line a step. */
  async told(told: Told = {}): Promise<string[]> {
    const { steps } = await this.plan(told);
    return steps.map((step) => {
      const why = stepSentence(step, this.clock.now());
      return `${step.name}: ${planText(step)}${why === "" ? "" : `; ${why}`}`;
    });
  }

  async lines(step: string, told: Told = {}): Promise<string[]> {
    const { steps } = await this.plan(told);
    return steps.flatMap((one) => (one.name === step ? stepLines(one, this.clock.now()) : []));
  }

  #load({ params = {}, file = "flow.ts" }: Told): Promise<LoadedFlow> {
    return loadFlow(join(this.#directory, file), { params });
  }
}

function paramsOf(loaded: LoadedFlow): Record<string, ParamValue> {
  return Object.fromEntries(
    Object.entries(loaded.params).map(([name, { value, text }]) => {
      const { data } = encodeValue(value);
      return [name, { id: cidOf("messagepack", data), data, text }];
    }),
  );
}
