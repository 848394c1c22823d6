/** The desk at work: questions of users in, hand-ins asked for, those who wait told. Decisions are the machine's. */
import type { Clock } from "../../src/env/clock.ts";
import type { CodeId } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { ANSWER_USERS_MAX, CODES_MAX, USERS_MAX } from "../../src/wire/sharing-protocol.ts";
import { codeKeysOf, type CodeKeysMessage } from "./code-keys.ts";
import { DeskMachine, type CodeKeys, type OverNotice } from "./desk-machine.ts";
import type { MemoKey } from "../../src/model/ids.ts";

export interface DeskDeps {
  readonly clock: Pick<Clock, "monotonic">;
  /** What a user runs of these codes; undefined where it did not answer in time. */
  readonly askHandIn: (
    user: PeerId,
    codes: readonly CodeId[],
  ) => Promise<readonly CodeKeys[] | undefined>;
  readonly tellOver: (notice: OverNotice) => void;
}

interface Others {
  readonly at: number;
  readonly users: PeerId[];
  readonly isShared: boolean;
}

export class Desk {
  readonly #deps: DeskDeps;
  readonly #machine = new DeskMachine();

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  get size(): DeskMachine["size"] {
    return this.#machine.size;
  }

  async use(from: PeerId, message: CodeKeysMessage): Promise<{ others: Others[] }> {
    const now = this.#deps.clock.monotonic();
    this.#machine.held(from, codeKeysOf(message), now);
    const alone = this.#machine.use(from, message.codes, now);
    await Promise.all([...alone].map(([user, codes]) => this.#handIn(user, codes)));
    const others = this.#others(from, message.codes);
    return { others };
  }

  async claim(
    from: PeerId,
    message: CodeKeysMessage,
  ): Promise<{ theirs: MemoKey[]; others: Others[] }> {
    const now = this.#deps.clock.monotonic();
    const theirs = this.#machine.claim(from, codeKeysOf(message), now);
    const others = this.#others(from, message.codes);
    return { theirs, others };
  }

  settled(from: PeerId, message: CodeKeysMessage, isDone: boolean): void {
    this.#tell(this.#machine.settle(from, codeKeysOf(message), isDone));
  }

  leave(from: PeerId, codes: readonly CodeId[]): void {
    this.#tell(this.#machine.leave(from, codes, this.#deps.clock.monotonic()));
  }

  gone(peer: PeerId): void {
    this.#tell(this.#machine.gone(peer, this.#deps.clock.monotonic()));
  }

  expire(): void {
    this.#tell(this.#machine.expire(this.#deps.clock.monotonic()));
  }

  /** As many as fit into one answer: who is left out is only not asked for facts. */
  #others(from: PeerId, codes: readonly CodeId[]): Others[] {
    const now = this.#deps.clock.monotonic();
    let room = ANSWER_USERS_MAX;
    return codes.flatMap((code, at) => {
      const { users, isShared } = this.#machine.others(from, code, now);
      if (users.length === 0) return [];
      const told = users.slice(0, Math.min(USERS_MAX, room));
      room -= told.length;
      return [{ at, users: told, isShared }];
    });
  }

  /** Who does not answer goes on as if it were alone: then a task may run twice, which is harmless. */
  async #handIn(user: PeerId, codes: readonly CodeId[]): Promise<void> {
    for (let at = 0; at < codes.length; at += CODES_MAX) {
      const held = await this.#deps.askHandIn(user, codes.slice(at, at + CODES_MAX));
      if (held !== undefined) this.#machine.held(user, held, this.#deps.clock.monotonic());
    }
  }

  #tell(notices: readonly OverNotice[]): void {
    for (const notice of notices) this.#deps.tellOver(notice);
  }
}
