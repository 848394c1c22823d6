/** The codes that runs of this peer use now: their desks, who else uses them, and which keys are run here. */
import type { CodeId, MemoKey } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { DeskChoice } from "./desk-choice.ts";
import type { CodeKeys } from "./desk-machine.ts";
import { DESK_USERS_MAX } from "./sharing-limits.ts";

export interface CodeUse {
  readonly code: CodeId;
  /** Runs here. */
  runs: number;
  desk: PeerId;
  /** Another peer has runs with it too: each key is claimed. */
  isShared: boolean;
  /** Others that have, or had, runs with it. */
  readonly users: Set<PeerId>;
  /** Claimed by runs here, and not over. */
  readonly keys: Set<MemoKey>;
  /** The desk has been told, or its time was over. */
  entered: Promise<unknown>;
}

export class CodeUses {
  readonly #uses = new Map<CodeId, CodeUse>();
  readonly #choice = new DeskChoice();
  readonly #self: PeerId;

  constructor(self: PeerId) {
    this.#self = self;
  }

  get size(): number {
    return this.#uses.size;
  }

  get(code: CodeId): CodeUse | undefined {
    return this.#uses.get(code);
  }

  all(): CodeUse[] {
    return [...this.#uses.values()];
  }

  /** @returns what was not used before */
  enter(codes: readonly CodeId[], alive: readonly PeerId[]): CodeUse[] {
    const fresh: CodeUse[] = [];
    for (const code of codes) {
      let use = this.#uses.get(code);
      if (use === undefined) {
        use = {
          code,
          runs: 0,
          desk: this.#choice.of(code, alive) ?? this.#self,
          isShared: false,
          users: new Set(),
          keys: new Set(),
          entered: Promise.resolve(),
        };
        this.#uses.set(code, use);
        fresh.push(use);
      }
      use.runs++;
    }
    return fresh;
  }

  /** @returns what is not used any more */
  leave(codes: readonly CodeId[]): CodeUse[] {
    const left: CodeUse[] = [];
    for (const code of codes) {
      const use = this.#uses.get(code);
      if (use === undefined || --use.runs > 0) continue;
      this.#uses.delete(code);
      left.push(use);
    }
    return left;
  }

  /** Chooses anew among those who are there. @returns the uses whose desk is another now, with the former one */
  choose(alive: readonly PeerId[]): { readonly use: CodeUse; readonly was: PeerId }[] {
    const moved: { use: CodeUse; was: PeerId }[] = [];
    for (const use of this.#uses.values()) {
      const was = use.desk;
      const desk = this.#choice.of(use.code, alive) ?? this.#self;
      if (desk === was) continue;
      use.desk = desk;
      moved.push({ use, was });
    }
    return moved;
  }

  /** Others of this code, as a desk said. */
  noteUsers(code: CodeId | undefined, users: readonly PeerId[]): void {
    const use = code === undefined ? undefined : this.#uses.get(code);
    for (const user of users)
      if (user !== this.#self && use !== undefined && use.users.size < DESK_USERS_MAX)
        use.users.add(user);
  }
}

export function byDesk(uses: Iterable<CodeUse>): Map<PeerId, CodeUse[]> {
  const desks = new Map<PeerId, CodeUse[]>();
  for (const use of uses) {
    const list = desks.get(use.desk);
    if (list === undefined) desks.set(use.desk, [use]);
    else list.push(use);
  }
  return desks;
}

/** What the desk is told of it: of codes that nobody else uses, no key. */
export function heldOf({ code, keys, isShared }: CodeUse): CodeKeys {
  return { code, keys: isShared ? [...keys] : [] };
}
