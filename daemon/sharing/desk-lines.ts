/** From users to desks and back: over the wire, or straight across where both are this peer. Who does not answer in time has said nothing. */
import type { CodeId, MemoKey } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { CLAIM, HAND_IN, LEAVE, OVER, SETTLED, USE } from "../../src/wire/sharing-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { codeKeysOf, messagesOf, type CodeKeysMessage } from "./code-keys.ts";
import type { CodeKeys, OverNotice } from "./desk-machine.ts";
import type { Desk } from "./desk-service.ts";
import type { PeerQuestions } from "./peer-questions.ts";
import { CLAIM_MS_MAX, HAND_IN_MS_MAX, USE_MS_MAX } from "./sharing-limits.ts";

export interface DeskLinesDeps {
  readonly transport: Pick<Transport, "self" | "send" | "handle" | "listen">;
  readonly questions: PeerQuestions;
  readonly desk: () => Desk;
}

/** What the desk asks of a user. */
export interface UserSide {
  handIn(codes: readonly CodeId[]): readonly CodeKeys[];
  over(from: PeerId, notice: Omit<OverNotice, "to">): void;
}

export class DeskLines {
  readonly #deps: DeskLinesDeps;
  readonly #user: UserSide;

  constructor(deps: DeskLinesDeps, user: UserSide) {
    this.#deps = deps;
    this.#user = user;
  }

  /** Answers others from now on. */
  serve(): void {
    const { transport, desk } = this.#deps;
    transport.handle(USE, (from, message) => desk().use(from, message));
    transport.handle(CLAIM, (from, message) => desk().claim(from, message));
    transport.handle(HAND_IN, async (_, { codes }) => this.#handIn(codes));
    transport.listen(SETTLED, (from, { isDone, ...message }) =>
      desk().settled(from, message, isDone),
    );
    transport.listen(OVER, (from, notice) => this.#user.over(from, notice));
    transport.listen(LEAVE, (from, { codes }) => desk().leave(from, codes));
  }

  use(
    desk: PeerId,
    message: CodeKeysMessage,
  ): Promise<Awaited<ReturnType<Desk["use"]>> | undefined> {
    if (desk === this.#deps.transport.self) return this.#deps.desk().use(desk, message);
    return this.#deps.questions.ask(desk, USE, message, USE_MS_MAX);
  }

  claim(
    desk: PeerId,
    message: CodeKeysMessage,
  ): Promise<{ theirs: MemoKey[]; others: { at: number; users: PeerId[] }[] } | undefined> {
    if (desk === this.#deps.transport.self) return this.#deps.desk().claim(desk, message);
    return this.#deps.questions.ask(desk, CLAIM, message, CLAIM_MS_MAX);
  }

  async askHandIn(
    user: PeerId,
    codes: readonly CodeId[],
  ): Promise<readonly CodeKeys[] | undefined> {
    if (user === this.#deps.transport.self) return this.#user.handIn(codes);
    const answer = await this.#deps.questions.ask(
      user,
      HAND_IN,
      { codes: [...codes] },
      HAND_IN_MS_MAX,
    );
    return answer === undefined ? undefined : codeKeysOf({ codes: [...codes], ...answer });
  }

  settled(desk: PeerId, keys: readonly CodeKeys[], isDone: boolean): void {
    const { transport } = this.#deps;
    for (const message of messagesOf(keys)) {
      if (desk === transport.self) this.#deps.desk().settled(desk, message, isDone);
      else transport.send(desk, SETTLED, { ...message, isDone });
    }
  }

  leave(desk: PeerId, codes: readonly CodeId[]): void {
    const { transport } = this.#deps;
    for (const message of messagesOf(codes.map((code) => ({ code, keys: [] })))) {
      if (desk === transport.self) this.#deps.desk().leave(desk, message.codes);
      else transport.send(desk, LEAVE, { codes: message.codes });
    }
  }

  tellOver({ to, by, keys, isDone }: OverNotice): void {
    const { transport } = this.#deps;
    for (const message of messagesOf([{ code: "" as CodeId, keys }])) {
      const some = message.held.flatMap((held) => held.keys);
      if (to === transport.self) this.#user.over(to, { by, keys: some, isDone });
      else transport.send(to, OVER, { by, keys: some, isDone });
    }
  }

  /** One message: what does not fit is run twice at worst. */
  #handIn(codes: readonly CodeId[]): Pick<CodeKeysMessage, "held"> {
    const at = new Map(codes.map((code, position) => [code, position]));
    const [message] = messagesOf(this.#user.handIn(codes));
    const held = (message?.held ?? []).flatMap((one) => {
      const code = message?.codes[one.at];
      const position = code === undefined ? undefined : at.get(code);
      return position === undefined ? [] : [{ at: position, keys: one.keys }];
    });
    return { held };
  }
}
