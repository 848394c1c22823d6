/**
 * Questions, answers and notices over any link that carries frames: who handles which name, which requests wait for their
 * answer, what a peer may have in flight. It knows no sockets; libp2p-transport.ts and the in-memory network of the tests put
 * it on theirs. Nothing that a peer sends makes it throw: a fault is returned, and the link decides what to do about it.
 */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { isMfError, MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { decodeError, encodeError, thrownText } from "../../src/wire/error-message.ts";
import type { NoticeType, RequestOptions, RequestType } from "../../src/wire/transport.ts";
import type { BodyVerdict, Frame, FrameHeader } from "./frame.ts";
import {
  ERROR_BYTES_MAX,
  FRAME_BYTES_MAX,
  REQUESTS_SERVED_MAX,
  REQUESTS_WAITING_MAX,
  REQUEST_BYTES_SERVED_MAX,
} from "./net-limits.ts";

/** `full`: too much waits for this peer already. */
export type PostVerdict = "queued" | "full";

export interface ExchangeDeps {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Handler {
  readonly bytesMax: number;
  /** Decodes at once, before the first await: the bytes belong to the link. */
  serve(from: PeerId, body: Uint8Array): Promise<Uint8Array>;
}

interface Listener {
  readonly bytesMax: number;
  hear(from: PeerId, body: Uint8Array): void;
}

interface Waiting {
  readonly bytesMax: number;
  /** Decodes at once: the bytes belong to the link. */
  answer(body: Uint8Array): void;
  reject(error: unknown): void;
}

/** One connection's share: requests of an earlier connection never meet answers of a later one. */
export class Session {
  readonly peer: PeerId;
  readonly post: (frame: Frame) => PostVerdict;
  readonly waiting = new Map<number, Waiting>();
  isOpen = true;
  servedCount = 0;
  servedBytes = 0;
  #id = 0;

  constructor(peer: PeerId, post: (frame: Frame) => PostVerdict) {
    this.peer = peer;
    this.post = post;
  }

  nextId(): number {
    do this.#id = (this.#id + 1) >>> 0;
    while (this.waiting.has(this.#id));
    return this.#id;
  }
}

export class Exchange {
  readonly #deps: ExchangeDeps;
  readonly #handlers = new Map<string, Handler>();
  readonly #listeners = new Map<string, Listener>();
  readonly #sessions = new Map<PeerId, Session>();

  constructor(deps: ExchangeDeps) {
    this.#deps = deps;
  }

  handle<Q, A>(type: RequestType<Q, A>, handler: (from: PeerId, query: Q) => Promise<A>): void {
    if (this.#handlers.has(type.name)) throw new TypeError(`${type.name} has a handler already`);
    this.#handlers.set(type.name, {
      bytesMax: type.query.bytesMax,
      serve: async (from, body) => type.answer.encode(await handler(from, type.query.decode(body))),
    });
  }

  listen<M>(type: NoticeType<M>, handler: (from: PeerId, message: M) => void): void {
    if (this.#listeners.has(type.name)) throw new TypeError(`${type.name} has a listener already`);
    this.#listeners.set(type.name, {
      bytesMax: type.message.bytesMax,
      hear: (from, body) => handler(from, type.message.decode(body)),
    });
  }

  open(peer: PeerId, post: (frame: Frame) => PostVerdict): Session {
    this.close(peer, "the connection was replaced");
    const session = new Session(peer, post);
    this.#sessions.set(peer, session);
    return session;
  }

  close(peer: PeerId, reason: string): void {
    const session = this.#sessions.get(peer);
    if (session === undefined) return;
    this.#sessions.delete(peer);
    session.isOpen = false;
    const error = unreachable(peer, reason);
    for (const waiting of session.waiting.values()) waiting.reject(error);
  }

  async request<Q, A>(
    to: PeerId,
    type: RequestType<Q, A>,
    query: Q,
    options: RequestOptions,
  ): Promise<A> {
    options.signal?.throwIfAborted();
    const body = type.query.encode(query);
    const session = this.#sessions.get(to);
    if (session === undefined) {
      const isSelf = to === this.#deps.self;
      throw unreachable(to, isSelf ? "it is this peer" : "there is no connection");
    }
    if (session.waiting.size >= REQUESTS_WAITING_MAX)
      throw unreachable(to, `${REQUESTS_WAITING_MAX} requests wait for its answers`);
    return this.#ask(session, type, body, options);
  }

  send<M>(to: PeerId, type: NoticeType<M>, message: M): void {
    const session = this.#sessions.get(to);
    if (session === undefined) return;
    let body: Uint8Array;
    try {
      body = type.message.encode(message);
    } catch (error) {
      this.#deps.logger.error("notice-not-encoded", { name: type.name, error: String(error) });
      return;
    }
    const verdict = session.post({ k: "notice", name: type.name, body });
    if (verdict === "full") this.#deps.logger.debug("notice-dropped", { to, name: type.name });
  }

  /** Asked by the link before it takes a frame's body. */
  bodyVerdict(session: Session, header: FrameHeader): BodyVerdict {
    const bytesMax = this.#bodyBytesMax(session, header);
    if (bytesMax === undefined) return { bytesMax: FRAME_BYTES_MAX, isWanted: false };
    return { bytesMax, isWanted: true };
  }

  /** A frame has come; the body is only lent. Returns what is wrong with it, where something is. */
  receive(session: Session, frame: Frame): string | undefined {
    if (!session.isOpen) return undefined;
    switch (frame.k) {
      case "request":
        this.#serve(session, frame);
        return undefined;
      case "notice":
        return this.#hear(session, frame.name, frame.body);
      case "answer":
        session.waiting.get(frame.id)?.answer(frame.body);
        return undefined;
      case "error":
        session.waiting.get(frame.id)?.reject(readError(session.peer, frame.body));
        return undefined;
    }
  }

  #bodyBytesMax(session: Session, header: FrameHeader): number | undefined {
    switch (header.k) {
      case "request":
        return this.#handlers.get(header.name)?.bytesMax;
      case "notice":
        return this.#listeners.get(header.name)?.bytesMax;
      case "answer":
        return session.waiting.get(header.id)?.bytesMax;
      case "error":
        return session.waiting.has(header.id) ? ERROR_BYTES_MAX : undefined;
    }
  }

  #ask<Q, A>(
    session: Session,
    type: RequestType<Q, A>,
    body: Uint8Array,
    options: RequestOptions,
  ): Promise<A> {
    const { timeoutMs, signal } = options;
    return new Promise((resolve, reject) => {
      const id = session.nextId();
      const end = (): void => {
        session.waiting.delete(id);
        cancelTimer();
        signal?.removeEventListener("abort", abort);
      };
      const fail = (error: unknown): void => {
        end();
        reject(error);
      };
      const abort = (): void => fail(signal?.reason);
      const cancelTimer = this.#deps.clock.after(timeoutMs, () =>
        fail(new MfError("PEER_TIMEOUT", { peer: session.peer, what: type.name, ms: timeoutMs })),
      );
      signal?.addEventListener("abort", abort, { once: true });
      session.waiting.set(id, {
        bytesMax: type.answer.bytesMax,
        answer: (data) => {
          try {
            const value = type.answer.decode(data);
            end();
            resolve(value);
          } catch (error) {
            fail(misbehaved(session.peer, type.name, error));
          }
        },
        reject: fail,
      });
      const verdict = session.post({ k: "request", id, name: type.name, body });
      if (verdict === "full") fail(unreachable(session.peer, "too much waits to be sent to it"));
    });
  }

  #serve(session: Session, frame: Extract<Frame, { k: "request" }>): void {
    const { id, name, body } = frame;
    const handler = this.#handlers.get(name);
    if (handler === undefined) {
      const hint = "Run the same version of Meshflow on both.";
      return refuse(session, id, new MfError("NOT_AVAILABLE", { what: name, hint }));
    }
    const bytes = body.length;
    if (
      session.servedCount >= REQUESTS_SERVED_MAX ||
      session.servedBytes + bytes > REQUEST_BYTES_SERVED_MAX
    ) {
      const reason = `it serves ${session.servedCount} requests of yours already`;
      return refuse(session, id, unreachable(this.#deps.self, reason));
    }
    session.servedCount++;
    session.servedBytes += bytes;
    void handler
      .serve(session.peer, body)
      .then(
        (reply) => answer(session, id, reply),
        (error: unknown) => {
          this.#noteFailure(session.peer, name, error);
          refuse(session, id, error);
        },
      )
      .finally(() => {
        session.servedCount--;
        session.servedBytes -= bytes;
      });
  }

  #hear(session: Session, name: string, body: Uint8Array): string | undefined {
    const listener = this.#listeners.get(name);
    if (listener === undefined) return undefined;
    try {
      listener.hear(session.peer, body);
    } catch (error) {
      this.#noteFailure(session.peer, name, error);
      if (isMfError(error, "MESSAGE_MALFORMED")) return `${name}: ${error.message}`;
    }
    return undefined;
  }

  #noteFailure(from: PeerId, name: string, error: unknown): void {
    if (isMfError(error)) {
      this.#deps.logger.debug("message-refused", { from, name, code: error.code });
      return;
    }
    const stack = error instanceof Error ? error.stack : thrownText(error);
    this.#deps.logger.error("message-handler-failed", { from, name, stack });
  }
}

function answer(session: Session, id: number, body: Uint8Array): void {
  if (!session.isOpen) return;
  const verdict = session.post({ k: "answer", id, body });
  if (verdict === "full")
    refuse(session, id, unreachable(session.peer, "too many answers wait to be sent to it"));
}

function refuse(session: Session, id: number, error: unknown): void {
  if (session.isOpen) session.post({ k: "error", id, body: encodeError(error) });
}

function readError(from: PeerId, body: Uint8Array): MfError {
  try {
    return decodeError(body);
  } catch (error) {
    return misbehaved(from, "an error", error);
  }
}

function unreachable(peer: PeerId, reason: string): MfError {
  return new MfError("PEER_UNREACHABLE", { peer, reason });
}

function misbehaved(peer: PeerId, what: string, error: unknown): MfError {
  const reason = error instanceof Error ? error.message : String(error);
  return new MfError("PEER_MISBEHAVED", { peer, what, reason });
}
