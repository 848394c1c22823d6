/** A task that is held against another one: its identity, and the run in which it stands. */
import type { Fact } from "../../model/fact.ts";
import type { RunView } from "./run-view.ts";

/** Of a fact, or of a task that is not one yet. */
export type Identity = Pick<Fact, "memoKey" | "code" | "env" | "seed" | "inputs">;

export interface TaskSide {
  readonly view: RunView;
  readonly step: string;
  readonly index: readonly number[];
  readonly identity: Identity;
}
