/** One task of a run that has ended: what it was given, what it made, what it printed. */
import { childrenOf, parentsOf, stepNamed } from "../../graph/queries.ts";
import type { FlowGraph } from "../../graph/flow-graph.ts";
import { fromErrorRecord, MfError } from "../../model/errors.ts";
import type { Fact } from "../../model/fact.ts";
import { taskText } from "../../model/ids.ts";
import { Artifact } from "./artifact.ts";
import { logsOf, type LogLine } from "./run-logs-of.ts";
import type { RunRecord, TaskRecord } from "./run-record.ts";

export class Task {
  /** `flow/run/step[i]`. */
  readonly pathspec: string;
  readonly step: string;
  /** Empty outside every foreach. */
  readonly index: readonly number[];
  readonly state: TaskRecord["state"];
  /** Attempts that ended; 0 where it was reused. */
  readonly attempts: number;
  /** Its result was known: another run, or this one before, had made it. */
  readonly isReused: boolean;
  /** The peer that made it. */
  readonly by: string;
  /** When it ended, ms since 1970. */
  readonly finishedAt: number;
  readonly wallMs: number | undefined;
  readonly #run: RunRecord;
  readonly #record: TaskRecord;
  readonly #fact: Fact | undefined;
  readonly #artifacts: ReadonlyMap<string, Artifact>;

  constructor(run: RunRecord, record: TaskRecord, fact: Fact | undefined) {
    const { step, index, state, attempts, isReused, by, at, wallMs } = record;
    this.pathspec = `${run.text}/${taskText(record)}`;
    this.step = step;
    this.index = index;
    this.state = state;
    this.attempts = attempts;
    this.isReused = isReused;
    this.by = by;
    this.finishedAt = at;
    this.wallMs = wallMs;
    this.#run = run;
    this.#record = record;
    this.#fact = fact;
    this.#artifacts = new Map(
      Object.entries(fact?.outputs ?? {}).map(([name, { id, bytes, kind }]) => [
        name,
        new Artifact(run.library, {
          pathspec: `${this.pathspec}/${name}`,
          name,
          id,
          size: bytes,
          kind,
        }),
      ]),
    );
  }

  get successful(): boolean {
    return this.state === "succeeded";
  }

  /** Why it failed. */
  get error(): MfError | undefined {
    const { error } = this.#record;
    return this.successful || error === undefined ? undefined : fromErrorRecord(error);
  }

  /** Of the code it ran. */
  get code(): string | undefined {
    return this.#fact?.code;
  }

  get seed(): string | undefined {
    return this.#fact?.seed;
  }

  /** By name: of contents their ids, of what is put together a digest. "*": one handle was all its inputs. */
  get inputs(): Readonly<Record<string, string>> {
    return this.#fact?.inputs ?? {};
  }

  get artifacts(): readonly Artifact[] {
    return [...this.#artifacts.values()];
  }

  /** @throws MfError PATHSPEC_NOT_FOUND */
  artifact(name: string): Artifact {
    const found = this.#artifacts.get(name);
    if (found !== undefined) return found;
    const known = [...this.#artifacts.keys()].join(", ");
    const reason = this.successful ? `it has no artifact ${name}` : `the task ${this.state}`;
    const isLost = this.successful && this.#fact === undefined;
    throw new MfError("PATHSPEC_NOT_FOUND", {
      pathspec: `${this.pathspec}/${name}`,
      reason: isLost ? "no peer that answers knows what the task made" : reason,
      hint: known === "" ? "It has none." : `It has: ${known}.`,
    });
  }

  /** Every artifact's value, by name. */
  async data<T extends object = Record<string, unknown>>(): Promise<T> {
    const values = await Promise.all(
      this.artifacts.map(async (artifact) => [artifact.name, await artifact.value()] as const),
    );
    return Object.fromEntries(values) as T;
  }

  /** What it printed here; a task that was reused printed in the run that made it. */
  logs(): AsyncIterable<LogLine> {
    return logsOf(this.#run, { step: this.step, index: this.index });
  }

  stdout(): Promise<string> {
    return this.#printed("stdout");
  }

  stderr(): Promise<string> {
    return this.#printed("stderr");
  }

  /** Tasks whose results it was given, or whose result chose that it runs. */
  parents(): Promise<Task[]> {
    return this.#related((graph) => {
      const step = stepNamed(graph, this.step);
      return step === undefined ? [] : parentsOf(graph, step);
    });
  }

  children(): Promise<Task[]> {
    return this.#related((graph) => childrenOf(graph, this.step));
  }

  toString(): string {
    return `Task(${this.pathspec})`;
  }

  async #printed(stream: LogLine["stream"]): Promise<string> {
    const lines: string[] = [];
    for await (const line of this.logs()) if (line.stream === stream) lines.push(`${line.text}\n`);
    return lines.join("");
  }

  /** Of those steps, the tasks that stand at the same place in every foreach that both are in. */
  async #related(stepsOf: (graph: FlowGraph) => readonly string[]): Promise<Task[]> {
    const graph = await this.#run.graph();
    const levels = stepNamed(graph, this.step)?.levels ?? [];
    const related: Task[] = [];
    for (const name of stepsOf(graph)) {
      const others = stepNamed(graph, name)?.levels ?? [];
      const records = (await this.#run.tasks(name)).filter(({ index }) =>
        others.every((level, at) => {
          const own = levels.indexOf(level);
          return own < 0 || this.index[own] === index[at];
        }),
      );
      for await (const [record, fact] of this.#run.withFacts(records))
        related.push(new Task(this.#run, record, fact));
    }
    return related;
  }
}
