/** One connection to one member: performs what link-machine.ts decides, reads and writes frames, keeps the budget of what waits. */
import type { Clock } from "../../src/env/clock.ts";
import { isMfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { helloCodec, type Hello } from "../../src/wire/hello-message.ts";
import type { PostVerdict } from "./exchange.ts";
import {
  EMPTY,
  messageFrame,
  wireFrame,
  type BodyVerdict,
  type Frame,
  type FrameHeader,
  type WireFrame,
  type WireHeader,
  type WireKind,
} from "./frame.ts";
import { FrameReader } from "./frame-codec.ts";
import {
  GREETING,
  stepLink,
  type LinkEffect,
  type LinkEnd,
  type LinkEvent,
  type LinkState,
} from "./link-machine.ts";
import type { LinkStream } from "./link-stream.ts";
import { GREETING_MS, PIECE_BYTES, QUEUE_BYTES_MAX } from "./net-limits.ts";
import { Outbox } from "./outbox.ts";

export interface LinkOwner {
  hello(): Hello;
  /** Why the peer may not come in; undefined where it may. */
  judge(link: Link, hello: Hello): string | undefined;
  opened(link: Link): void;
  ended(
    link: Link,
    end: { readonly why: LinkEnd; readonly reason: string; wasOpen: boolean },
  ): void;
  bodyVerdict(link: Link, header: FrameHeader): BodyVerdict;
  /** Returns what is wrong with the frame, where something is. */
  received(link: Link, frame: Frame): string | undefined;
}

export interface LinkDeps {
  readonly peer: PeerId;
  readonly stream: LinkStream;
  /** True where this side dialled. */
  readonly isDialler: boolean;
  readonly clock: Clock;
  readonly owner: LinkOwner;
}

const REASON_BYTES_MAX = 1_024;

export class Link {
  readonly peer: PeerId;
  readonly isDialler: boolean;
  /** Where the peer says it can be dialled. */
  addresses: readonly string[] = [];
  readonly #stream: LinkStream;
  readonly #owner: LinkOwner;
  readonly #outbox = new Outbox();
  readonly #reader: FrameReader;
  readonly #pieceReader: FrameReader;
  readonly #cancelDeadline: () => void;
  #state: LinkState = GREETING;
  #isFull = false;
  #isPumpQueued = false;
  #hasHeard = false;
  #hasSent = false;
  /** Settles when the connection is closed. */
  closing: Promise<void> = Promise.resolve();

  constructor(deps: LinkDeps) {
    this.peer = deps.peer;
    this.isDialler = deps.isDialler;
    this.#stream = deps.stream;
    this.#owner = deps.owner;
    this.#reader = new FrameReader({
      judge: (header) => this.#judge(header),
      take: (frame) => this.#take(frame),
    });
    this.#pieceReader = new FrameReader({
      judge: (header) =>
        header.k === "request" || header.k === "answer"
          ? this.#judge(header)
          : "pieces of what never comes in pieces",
      take: (frame) => this.#take(frame),
    });
    this.#cancelDeadline = deps.clock.after(GREETING_MS, () => this.#on({ t: "deadline" }));
    deps.stream.attach({
      data: (chunk) => this.#data(chunk),
      drained: () => this.#drained(),
      ended: () => this.#on({ t: "stream-ended" }),
    });
    this.#write("hello", helloCodec.encode(deps.owner.hello()));
  }

  get isOpen(): boolean {
    return this.#state.k === "open";
  }

  get isGreeting(): boolean {
    return this.#state.k === "greeting";
  }

  post(frame: Frame): PostVerdict {
    if (!this.isOpen) return "full";
    if (!this.#hasRoom(frame)) return "full";
    this.#outbox.add(wireFrame(frame));
    this.#queuePump();
    return "queued";
  }

  leave(): void {
    this.#on({ t: "leave" });
  }

  /** Ends it at once: something better has come, or it must not go on. */
  cut(reason: string): void {
    this.#on({ t: "fault", reason });
  }

  tick(): void {
    const isStuck = this.#isFull && !this.#hasSent;
    this.#on({ t: "tick", hasHeard: this.#hasHeard, isStuck });
    this.#hasHeard = false;
    this.#hasSent = false;
  }

  #on(event: LinkEvent): void {
    const wasOpen = this.isOpen;
    const { state, effects } = stepLink(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#perform(effect, wasOpen);
  }

  #perform(effect: LinkEffect, wasOpen: boolean): void {
    switch (effect.t) {
      case "send-welcome":
        return this.#write("welcome", EMPTY);
      case "send-refusal":
        return this.#write(
          "refusal",
          Buffer.from(effect.reason, "utf8").subarray(0, REASON_BYTES_MAX),
        );
      case "send-ping":
        return this.#write("ping", EMPTY);
      case "send-bye":
        return this.#write("bye", EMPTY);
      case "open":
        this.#cancelDeadline();
        return this.#owner.opened(this);
      case "end":
        this.#cancelDeadline();
        if (!effect.isAbrupt) this.#pump();
        this.closing = this.#stream.end(effect.reason, effect.isAbrupt);
        return this.#owner.ended(this, { why: effect.why, reason: effect.reason, wasOpen });
    }
  }

  /** Refusals of work come before refusals of answers: whoever asks can ask again. */
  #hasRoom(frame: Frame): boolean {
    const waiting = this.#outbox.queuedBytes;
    if (waiting === 0) return true;
    const max = frame.k === "answer" ? QUEUE_BYTES_MAX * 1.5 : QUEUE_BYTES_MAX;
    if (frame.k !== "error") return waiting + frame.body.length <= max;
    const isOver = waiting > QUEUE_BYTES_MAX * 2;
    if (isOver) queueMicrotask(() => this.cut("it asks much and reads nothing"));
    return !isOver;
  }

  #write(k: WireKind, body: Uint8Array): void {
    this.#outbox.add({ k, id: 0, name: "", body });
    this.#queuePump();
  }

  /** What is posted in one turn leaves in one send. */
  #queuePump(): void {
    if (this.#isPumpQueued || this.#isFull) return;
    this.#isPumpQueued = true;
    queueMicrotask(() => {
      this.#isPumpQueued = false;
      if (this.#state.k !== "ended") this.#pump();
    });
  }

  #pump(): void {
    while (!this.#isFull && !this.#outbox.isEmpty) {
      this.#isFull = !this.#stream.send(this.#outbox.take());
      this.#hasSent = true;
    }
  }

  #drained(): void {
    this.#isFull = false;
    this.#hasSent = true;
    if (this.#state.k !== "ended") this.#pump();
  }

  #data(chunk: Uint8Array): void {
    if (this.#state.k === "ended") return;
    this.#hasHeard = true;
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) this.#on({ t: "fault", reason: fault });
  }

  #judge(header: WireHeader): BodyVerdict | string {
    const { k } = header;
    switch (k) {
      case "hello":
        return { bytesMax: helloCodec.bytesMax, isWanted: true };
      case "refusal":
        return { bytesMax: REASON_BYTES_MAX, isWanted: true };
      case "welcome":
      case "ping":
      case "pong":
      case "bye":
        return { bytesMax: 0, isWanted: true };
      case "piece":
        return this.#spoken() ?? { bytesMax: PIECE_BYTES, isWanted: true };
      case "request":
      case "notice":
        if (header.name.length === 0) return `a ${k} without a name`;
        return this.#spoken() ?? this.#owner.bodyVerdict(this, { ...header, k });
      case "answer":
      case "error":
        if (header.name.length > 0) return `an ${k} with a name`;
        return this.#spoken() ?? this.#owner.bodyVerdict(this, { ...header, k });
    }
  }

  /** A peer speaks only after both let each other in: the welcome it sent before is here by then. */
  #spoken(): string | undefined {
    return this.isOpen ? undefined : "it speaks before it was let in";
  }

  #take(frame: WireFrame): string | undefined {
    switch (frame.k) {
      case "hello":
        return this.#greeted(frame.body);
      case "welcome":
        this.#on({ t: "welcomed" });
        return undefined;
      case "refusal":
        this.#on({ t: "refused", reason: Buffer.from(frame.body).toString("utf8") });
        return undefined;
      case "piece":
        return this.#pieceReader.push(frame.body);
      case "ping":
        if (this.isOpen && this.#outbox.queuedBytes <= QUEUE_BYTES_MAX) this.#write("pong", EMPTY);
        return undefined;
      case "pong":
        return undefined;
      case "bye":
        this.#on({ t: "bye-heard" });
        return undefined;
      case "request":
      case "answer":
      case "error":
      case "notice":
        return this.#message(frame);
    }
  }

  #greeted(body: Uint8Array): string | undefined {
    let hello: Hello;
    try {
      hello = helloCodec.decode(body);
    } catch (error) {
      return isMfError(error) ? error.message : "a greeting that is none";
    }
    this.addresses = hello.addresses;
    const refusal = this.isGreeting ? this.#owner.judge(this, hello) : undefined;
    this.#on({ t: "judged", ...(refusal === undefined ? {} : { refusal }) });
    return undefined;
  }

  #message(frame: WireFrame): string | undefined {
    if (!this.isOpen) return undefined;
    const message = messageFrame(frame);
    return message === undefined ? undefined : this.#owner.received(this, message);
  }
}
