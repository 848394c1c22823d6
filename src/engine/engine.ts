/**
 * The engine of one machine: runs flows over a store and a pool of step hosts. Each run is a machine of its own
 * (run/run-machine.ts) driven by a service (run/run-service.ts); the ports come from outside, so a daemon composes the same.
 */
import { mkdir } from "node:fs/promises";
import { cidOf } from "../artifact/cid.ts";
import type { FlowPackage } from "../code/flow-package.ts";
import type { Clock } from "../env/clock.ts";
import type { Logger } from "../env/logger.ts";
import type { Random } from "../env/random.ts";
import type { ValueRef } from "../graph/flow-graph.ts";
import { MfError } from "../model/errors.ts";
import type { InputSource } from "../model/fact.ts";
import type { Cid, CodeId, RunId, RunRef } from "../model/ids.ts";
import { defined } from "../std/assert.ts";
import type { Store } from "../store/ports.ts";
import type { FactSigner } from "../trust/fact-page.ts";
import { resolveVersion } from "./lookup/version.ts";
import type { HostPool } from "./ports.ts";
import type { Engine, RunHandle, RunRequest } from "./run-api.ts";
import { ContentCache } from "./run/content-cache.ts";
import { planFlow, type FlowPlan } from "./run/flow-plan.ts";
import { givenSources, sourcePins } from "./run/given-sources.ts";
import type { GivenValues } from "./run/input-resolution.ts";
import { logDirectoryOf } from "./run/log-file.ts";
import { ATTEMPT_MEM_BYTES_MAX, TASKS_MAX_DEFAULT } from "./run/run-limits.ts";
import { pinnedVersion, readPastRun } from "./run/past-run.ts";
import { type ReuseRule, type RunHistory, type RunStarted } from "./run/run-history.ts";
import { factMaker } from "./run/fact-maker.ts";
import { provenanceOf } from "./run/provenance.ts";
import { refuseUnknownSteps } from "./run/rerun-steps.ts";
import { RunService } from "./run/run-service.ts";
import { machineCapacity } from "./machine-capacity.ts";
import {
  NONE,
  unmetDemand,
  type Capacity,
  type MeshLimits,
  type UnmetDemand,
} from "./scheduler/admission.ts";
import type { SchedulerLimits } from "./scheduler/batch-scheduler.ts";
import { LocalSharing, type WorkSharing } from "./work-sharing.ts";

export interface EngineDeps {
  readonly store: Store;
  readonly hosts: HostPool;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Name under which facts are made; `local` without a daemon. */
  readonly peer: string;
  /** Of the program; stands in the run's beginning. */
  readonly version?: string;
  /** Vouches for what is made here; without it, facts are unsigned. */
  readonly signer?: FactSigner;
  /** What this machine has. @default what `machineCapacity` finds */
  readonly capacity?: Capacity;
  /** Where other machines run work too: what they have together, instead of this machine's. */
  readonly limits?: MeshLimits;
  /** Lets the event loop turn between slices of work. @default setImmediate */
  readonly turn?: () => Promise<void>;
  /** Whoever else may have run, or run now, what a run here is about to. @default the runs of this engine */
  readonly sharing?: WorkSharing;
}

interface EngineParts extends EngineDeps {
  readonly sharing: WorkSharing;
}

/** Ten letters of 32 are 50 bits: no two runs of a store collide. */
const RUN_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RUN_ID_LENGTH = 10;

export function createEngine(given: EngineDeps): Engine {
  const deps = { ...given, sharing: given.sharing ?? new LocalSharing() };
  const running = new Set<RunHandle>();
  const list = (handle: RunHandle): RunHandle => {
    running.add(handle);
    const ended = (): void => {
      running.delete(handle);
    };
    // Whoever asked for the run learns how it ended; here it only leaves the list.
    handle.finished.then(ended, ended);
    return handle;
  };
  return {
    start: async (flowPackage, request) => list(await startRun(deps, flowPackage, request)),
    resume: async (run) => list(await resumeRun(deps, run)),
    running: () => [...running],
  };
}

async function startRun(
  deps: EngineParts,
  flowPackage: FlowPackage,
  request: RunRequest,
): Promise<RunHandle> {
  const run: RunRef = { flow: flowPackage.graph.name, id: newRunId(deps.random) };
  const resolve = async (pathspec: string): Promise<InputSource> => {
    const pinned = request.versions?.[pathspec];
    return pinned === undefined
      ? resolveVersion(deps.store, pathspec)
      : pinnedVersion(pathspec, pinned);
  };
  refuseUnknownSteps(flowPackage.graph, request.rerun ?? []);
  const given = await givenValues(deps, { flowPackage, request, resolve });
  const begin = { run, flowPackage, request, given };
  const { totals } = runLimits(deps, request).limits;
  refuseUnmet(deps, flowPackage, { totals, labels: request.labels ?? [] });
  const entry = await startEntry(deps, begin);
  const service = await composeRun(deps, { ...begin, entry });
  await service.begin(entry);
  return service;
}

/** What the journal pinned (versions, parameters, options) stays; everything else is found again. */
async function resumeRun(deps: EngineParts, run: RunRef): Promise<RunHandle> {
  const { history, flowPackage, request, versions } = await readPastRun(deps.store, run);
  const resolve = async (pathspec: string): Promise<InputSource> =>
    defined(versions.get(pathspec), `version ${pathspec}`);
  const given = await givenValues(deps, { flowPackage, request, resolve });
  const entry = history.started;
  const service = await composeRun(deps, { run, flowPackage, request, given, entry, history });
  service.goOn();
  return service;
}

interface RunParts extends StartRequest {
  readonly run: RunRef;
  readonly entry: RunStarted;
  readonly history?: RunHistory;
}

async function composeRun(deps: EngineParts, parts: RunParts): Promise<RunService> {
  const { store, hosts, clock, logger, peer } = deps;
  const { run, flowPackage, request, given, entry, history } = parts;
  const { capacity, limits } = runLimits(deps, request);
  const contents = new ContentCache(store);
  for (const source of [given.params, given.constants, given.sources].flatMap((values) => [
    ...values.values(),
  ]))
    if (source.k === "bytes") contents.give(source.id, source.data);
  const plan = planFlow(flowPackage, await pythonEnvironments(hosts, flowPackage));
  await mkdir(logDirectoryOf(store.home, run), { recursive: true });
  const rule = { noCache: request.noCache ?? false, rerun: new Set(request.rerun) };
  const share = deps.sharing.enter(sharedCodes(plan, rule));
  const turn = deps.turn ?? nextTurn;
  const service = new RunService(
    { store, hosts, clock, logger, maker: factMaker(deps), peer, contents, turn, share },
    {
      run,
      plan,
      given,
      seed: entry.seed,
      tasksMax: request.maxTasks ?? TASKS_MAX_DEFAULT,
      ...rule,
      limits,
      isHeldBack: (request.labels ?? []).length > 0 || request.maxWorkers !== undefined,
      labels: request.labels ?? [],
      memBytesDefault: Math.min(ATTEMPT_MEM_BYTES_MAX, Math.floor(capacity.memBytes / 4)),
      kept: new Map(request.results?.map(({ memoKey, result }) => [memoKey, result])),
      summary: {
        run,
        createdAt: entry.at,
        user: request.user,
        file: flowPackage.file,
        bundleId: flowPackage.bundleId,
        pid: process.pid,
        ...provenanceOf(entry),
      },
      ...(history === undefined ? {} : { history }),
    },
  );
  const unsubscribe = deps.limits?.subscribe(() => service.wake());
  if (unsubscribe !== undefined) service.finished.then(unsubscribe, unsubscribe);
  return service;
}

/** Of the steps whose results others may use, and the other way round. */
function sharedCodes({ steps }: FlowPlan, { noCache, rerun }: ReuseRule): CodeId[] {
  const shared = [...steps.values()].filter(
    ({ name, declaration }) => !noCache && !rerun.has(name) && declaration.options.cache.enabled,
  );
  return [...new Set(shared.map(({ code }) => code.codeId))];
}

function runLimits(
  deps: EngineDeps,
  request: RunRequest,
): { capacity: Capacity; limits: SchedulerLimits } {
  const capacity = deps.capacity ?? machineCapacity();
  const mesh = deps.limits;
  if (mesh !== undefined) return { capacity, limits: meshLimits(mesh, request.maxWorkers) };
  const workersMax = Math.max(1, request.maxWorkers ?? Math.floor(capacity.cores));
  return {
    capacity,
    limits: {
      // Whoever asks for more workers than cores means it.
      totals: { ...capacity, cores: Math.max(capacity.cores, workersMax) },
      slots: deps.hosts.slots,
      workersMax,
    },
  };
}

/** Getters, because the scheduler reads them anew for each batch. */
function meshLimits(mesh: MeshLimits, workersMax = Infinity): SchedulerLimits {
  return {
    get totals() {
      return mesh.totals();
    },
    get slots() {
      return mesh.slots();
    },
    workersMax: Math.max(1, workersMax),
  };
}

/** A step that can never start is told before anything runs. @throws MfError RESOURCES_UNMET */
function refuseUnmet(
  { limits: mesh }: EngineDeps,
  { graph }: FlowPackage,
  { totals, labels }: { totals: Capacity; labels: readonly string[] },
): void {
  for (const { name, options } of graph.steps) {
    const unmet =
      mesh === undefined
        ? unmetDemand(options.resources, totals)
        : mesh.unmet(options.resources, labels);
    if (unmet === undefined) continue;
    const where = mesh === undefined ? { where: "this machine has" } : whereInMesh(unmet);
    throw new MfError("RESOURCES_UNMET", { step: name, ...unmet, ...where });
  }
}

/** How much the best peer has is told only where it has some. */
function whereInMesh({ has }: UnmetDemand): { readonly where: string; readonly has: string } {
  const where = "no peer of the mesh has that";
  return has === NONE ? { where, has: "" } : { where: `${where}, the most is`, has };
}

interface StartRequest {
  readonly flowPackage: FlowPackage;
  readonly request: RunRequest;
  readonly given: GivenValues;
}

/** Everything needed to repeat the run is in the store before the first attempt. */
async function startEntry(
  { store, clock, version }: EngineDeps,
  { flowPackage, request, given }: StartRequest,
): Promise<RunStarted> {
  const { id: packageId } = await store.putBytes(Buffer.from(JSON.stringify(flowPackage)), "raw");
  const params: Record<string, Cid> = {};
  const paramTexts: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.params)) {
    params[name] = (await store.putBytes(value.data, "messagepack")).id;
    paramTexts[name] = value.text;
  }
  const versions: Record<string, Cid> = {};
  for (const [pathspec, source] of given.versions)
    if (source.k === "artifact") versions[pathspec] = source.id;
  const codes = Object.fromEntries(
    Object.entries(flowPackage.steps).map(([step, code]) => [step, code.codeId]),
  );
  const { file, bundleId } = flowPackage;
  return {
    t: "run-started",
    at: clock.now(),
    user: request.user,
    file,
    bundleId,
    packageId,
    params,
    paramTexts,
    versions,
    seed: request.seed ?? "0",
    codes,
    options: {
      ...(request.maxTasks === undefined ? {} : { maxTasks: request.maxTasks }),
      ...(request.maxWorkers === undefined ? {} : { maxWorkers: request.maxWorkers }),
      ...(request.noCache === undefined ? {} : { noCache: request.noCache }),
      ...(request.labels === undefined ? {} : { labels: request.labels }),
      ...(request.rerun === undefined ? {} : { rerun: request.rerun }),
      ...(request.results === undefined ? {} : { results: request.results }),
    },
    ...sourcePins(given.sources, request),
    ...provenanceOf({ ...request, ...(version === undefined ? {} : { version }) }),
  };
}

interface Given {
  readonly flowPackage: FlowPackage;
  readonly request: Pick<RunRequest, "params" | "sources">;
  readonly resolve: (pathspec: string) => Promise<InputSource>;
}

/** What is known before the run; `resolve`: what a from() stands for. @throws MfError PARAM_MISSING */
export async function givenValues(
  { store }: { readonly store: Pick<Store, "putBytes"> },
  { flowPackage: { graph }, request, resolve }: Given,
): Promise<GivenValues> {
  const params = new Map<string, InputSource>();
  for (const { name, kind } of graph.params) {
    const value = request.params[name];
    if (value === undefined)
      throw new MfError("PARAM_MISSING", { flow: graph.name, param: name, kind });
    params.set(name, { k: "bytes", id: value.id, data: value.data });
  }
  const constants = new Map<string, InputSource>();
  const versions = new Map<string, InputSource>();
  const visit = async (ref: ValueRef): Promise<void> => {
    if (ref.k === "each" || ref.k === "collect") await visit(ref.of);
    else if (ref.k === "const" && !constants.has(ref.data)) {
      const data = Buffer.from(ref.data, "base64");
      constants.set(ref.data, { k: "bytes", id: cidOf("messagepack", data), data });
    } else if (ref.k === "from" && !versions.has(ref.pathspec))
      versions.set(ref.pathspec, await resolve(ref.pathspec));
  };
  for (const { inputs } of graph.steps)
    for (const ref of "whole" in inputs ? [inputs.whole] : Object.values(inputs.fields))
      await visit(ref);
  for (const { on, cases } of graph.switches)
    for (const ref of [on, ...Object.values(cases)]) await visit(ref);
  return { params, constants, versions, sources: await givenSources(store, graph, request) };
}

async function pythonEnvironments(
  hosts: HostPool,
  { steps }: FlowPackage,
): Promise<Record<string, string>> {
  const environments: Record<string, string> = {};
  for (const [name, code] of Object.entries(steps))
    if (code.kind === "python") environments[name] = await hosts.pythonEnvironment(code, name);
  return environments;
}

function newRunId(random: Random): RunId {
  return Array.from(random.bytes(RUN_ID_LENGTH), (byte) => RUN_ID_ALPHABET[byte % 32]).join(
    "",
  ) as RunId;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
