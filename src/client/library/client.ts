/** `openClient`: the way into everything that runs made, from a script or a notebook. */
import { systemClock, type Clock } from "../../env/clock.ts";
import { silentLogger } from "../../env/logger.ts";
import { systemRandom } from "../../env/random.ts";
import { resolve } from "node:path";
import { MfError } from "../../model/errors.ts";
import type { Cid } from "../../model/ids.ts";
import { diff, type DiffOptions } from "../diff/diff.ts";
import type { DiffReport } from "../diff/diff-report.ts";
import { homeDirectory } from "../home-directory.ts";
import { Records } from "../records.ts";
import { userName } from "../user-name.ts";
import type { VersionList } from "../versions/list-versions.ts";
import type { VersionsQuery } from "../versions/version-query.ts";
import { Artifact } from "./artifact.ts";
import { Flow, runsOf, type RunsFilter } from "./flow.ts";
import { LeasedSide, openSide, type OpenedSide } from "./leased-side.ts";
import type { Library } from "./library.ts";
import { Run } from "./run.ts";
import type { Step } from "./step.ts";
import type { Task } from "./task.ts";

export interface ClientOptions {
  /** Where runs and artifacts are. @default MF_HOME, else the platform's data directory */
  readonly home?: string;
  /** Who gives tags. @default MF_USER, else the account's name */
  readonly user?: string;
}

/** Nothing is opened until something is asked; what is open is let go of a moment after the last question. */
export async function openClient(options: ClientOptions = {}): Promise<Client> {
  const home = options.home === undefined ? homeDirectory() : resolve(options.home);
  const user = options.user ?? userName();
  const deps = { home, clock: systemClock, random: systemRandom, logger: silentLogger };
  return clientOver({ home, user, clock: systemClock, open: () => openSide(deps) });
}

export interface ClientParts {
  readonly home: string;
  readonly user: string;
  readonly clock: Clock;
  readonly open: () => Promise<OpenedSide>;
}

export function clientOver({ home, user, clock, open }: ClientParts): Client {
  const lease = new LeasedSide(clock, open);
  return new Client({ lease, records: new Records(lease.side), clock, home, user });
}

export class Client {
  readonly home: string;
  readonly #library: Library;

  constructor(library: Library) {
    this.#library = library;
    this.home = library.home;
  }

  /** Every flow of which there are runs, the one that ran last first. */
  async *flows(): AsyncIterable<Flow> {
    const names = new Set((await runsOf(this.#library, undefined, {})).map(({ run }) => run.flow));
    for (const name of names) yield new Flow(this.#library, name);
  }

  [Symbol.asyncIterator](): AsyncIterator<Flow> {
    return this.flows()[Symbol.asyncIterator]();
  }

  flow(name: string): Flow {
    return new Flow(this.#library, name);
  }

  /** Of all flows, newest first. */
  async *runs(filter: RunsFilter = {}): AsyncIterable<Run> {
    for (const summary of await runsOf(this.#library, undefined, filter))
      yield new Run(this.#library, summary);
  }

  /** `flow/id`, with `latest`, `@tag`, a time or a unique beginning for the id. @throws MfError RUN_NOT_FOUND, PATHSPEC_AMBIGUOUS */
  async run(pathspec: string): Promise<Run> {
    return new Run(this.#library, await this.#library.records.side.run(pathspec));
  }

  /** @throws MfError PATHSPEC_NOT_FOUND, PATHSPEC_AMBIGUOUS, RUN_NOT_FOUND */
  async artifact(pathspec: string): Promise<Artifact> {
    const resolved = await this.#library.records.side.resolve(pathspec);
    if (resolved.kind === "content") return this.#content(resolved.id);
    if (resolved.kind === "artifact") {
      const { pathspec: text, name, ref, path } = resolved.artifact;
      const { id, bytes: size, kind } = ref;
      return new Artifact(this.#library, { pathspec: text, name, id, size, kind, path });
    }
    throw new MfError("PATHSPEC_AMBIGUOUS", {
      text: pathspec,
      candidates: resolved.artifacts
        .slice(0, 5)
        .map((artifact) => artifact.pathspec)
        .join(", "),
    });
  }

  /**
   * By how deep the text goes: `flow`, `flow/run`, `flow/run/step` (a step inside a foreach), `flow/run/step[i]` or a step outside
   * every foreach as its one task with `[]`, `flow/run/step[i]/artifact`, `c:ID`. @throws MfError PATHSPEC_INVALID, PATHSPEC_NOT_FOUND
   */
  async get(pathspec: string): Promise<Flow | Run | Step | Task | Artifact> {
    if (pathspec.startsWith("c:")) return this.artifact(pathspec);
    const parts = pathspec.split("/");
    const [flow = "", , step = ""] = parts;
    if (parts.length === 1) {
      const found = await this.flow(flow).latestRun();
      if (found !== undefined) return this.flow(flow);
      throw new MfError("PATHSPEC_NOT_FOUND", {
        pathspec,
        reason: `no run of flow ${flow}`,
        hint: "`mf ls` lists runs.",
      });
    }
    if (parts.length > 3 || step.includes(".")) return this.artifact(pathspec);
    const run = await this.run(parts.slice(0, 2).join("/"));
    if (parts.length === 2) return run;
    const index = /^(.*)\[(\d+(?:,\d+)*)\]$/.exec(step);
    if (index !== null)
      return run.step(index[1] ?? "").task(...(index[2] ?? "").split(",").map(Number));
    const found = run.step(step);
    await found.parentSteps();
    return found;
  }

  /** As `mf ls-versions`. @throws MfError PATHSPEC_INVALID */
  versions(query: VersionsQuery = {}): Promise<VersionList> {
    return this.#library.records.side.versions(query);
  }

  /** As `mf diff`. */
  diff(a: string, b: string, options: DiffOptions = {}): Promise<DiffReport> {
    return diff(this.#library.records, [a, b], options);
  }

  /** Content by its id, verified: of a file inside a value, for one. @throws MfError CONTENT_MISSING, CONTENT_MISMATCH */
  read(id: string): Promise<Uint8Array> {
    return this.#library.records.read(id as Cid);
  }

  close(): Promise<void> {
    return this.#library.lease.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #content(id: Cid): Promise<Artifact> {
    const data = await this.#library.records.read(id);
    const parts = { pathspec: `c:${id}`, name: "", id, size: data.length, kind: "content" };
    return new Artifact(this.#library, parts);
  }
}
