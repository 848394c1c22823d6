/** A conversation over the join encrypter: messages of at most HELLO_BYTES_MAX, one stream, one deadline for all of it. */
import type { Connection, Stream } from "@libp2p/interface";
import type { Clock } from "../../src/env/clock.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import { HELLO_BYTES_MAX, type JoinChannel } from "../../src/wire/admission.ts";
import { encodeFrame, FrameReader } from "./frame-codec.ts";
import { linkStream, type LinkStream } from "./link-stream.ts";
import { JOIN_MESSAGES_MAX, JOIN_MS } from "./net-limits.ts";

export function joinChannel(stream: Stream, connection: Connection, clock: Clock): JoinChannel {
  const peer = connection.remotePeer.toString() as PeerId;
  return new StreamJoinChannel(peer, linkStream(stream, connection), clock);
}

interface Receiver {
  resolve(data: Uint8Array): void;
  reject(error: MfError): void;
}

export class StreamJoinChannel implements JoinChannel {
  readonly remote: PeerId;
  readonly #stream: LinkStream;
  readonly #reader: FrameReader;
  readonly #messages: Uint8Array[] = [];
  readonly #cancelDeadline: () => void;
  #receiver: Receiver | undefined;
  #end: MfError | undefined;

  constructor(remote: PeerId, stream: LinkStream, clock: Clock) {
    this.remote = remote;
    this.#stream = stream;
    this.#reader = new FrameReader({
      judge: ({ k }) =>
        k === "notice"
          ? { bytesMax: HELLO_BYTES_MAX, isWanted: true }
          : "a kind that no join message has",
      take: ({ body }) => this.#take(body.slice()),
    });
    this.#cancelDeadline = clock.after(JOIN_MS, () => {
      const error = new MfError("PEER_TIMEOUT", { peer: remote, what: "the join", ms: JOIN_MS });
      void this.#finish(error, true);
    });
    stream.attach({
      data: (chunk) => {
        const fault = this.#reader.push(chunk);
        if (fault !== undefined) void this.#finish(this.#gone(fault), true);
      },
      drained: () => undefined,
      ended: () => {
        void this.#finish(this.#gone("the other side ended the join"), false);
      },
    });
  }

  /** A few kilobytes fit every buffer on the way: nothing to wait for. */
  async send(data: Uint8Array): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    if (data.length > HELLO_BYTES_MAX)
      throw new MfError("MESSAGE_MALFORMED", { reason: `${data.length} bytes to join` });
    this.#stream.send(encodeFrame({ k: "notice", id: 0, name: "", body: data }));
    await Promise.resolve();
  }

  receive(): Promise<Uint8Array> {
    const next = this.#messages.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (this.#receiver !== undefined) throw new TypeError("one receive at a time");
    return new Promise((resolve, reject) => {
      this.#receiver = { resolve, reject };
    });
  }

  async close(): Promise<void> {
    await this.#finish(this.#gone("the join has ended"), false);
  }

  #take(data: Uint8Array): string | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    if (receiver !== undefined) receiver.resolve(data);
    else if (this.#messages.length >= JOIN_MESSAGES_MAX) return "too many join messages at once";
    else this.#messages.push(data);
    return undefined;
  }

  async #finish(error: MfError, isAbrupt: boolean): Promise<void> {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#cancelDeadline();
    this.#receiver?.reject(error);
    this.#receiver = undefined;
    await this.#stream.end(error.message, isAbrupt);
  }

  #gone(reason: string): MfError {
    return new MfError("PEER_UNREACHABLE", { peer: this.remote, reason });
  }
}
