/** The fetching end of one lane: dials the addresses of a ticket, asks for pieces and puts the answers together. */
import type { OnReadOpts } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { CHUNK_BYTES_MAX } from "../../src/artifact/chunker.ts";
import type { Clock } from "../../src/env/clock.ts";
import { DIAL_MS, HANDSHAKE_MS, LANE_IDLE_MS, LANE_OPEN_MS } from "./bulk-limits.ts";
import { AnswerReader, askFrame } from "./lane-frames.ts";
import { LANE_TLS } from "./lane-tls.ts";
import type { LaneOpening, Want } from "./thread-messages.ts";

/** Read from the socket at once: TLS records are at most this long. */
const READ_BYTES = 16 * 1024;

export interface LaneClientEvents {
  opened(): void;
  failed(): void;
  ended(why: "cut" | "stalled" | "malformed" | "idle"): void;
  /** What is owed first. */
  expected(): Want | undefined;
  owes(): boolean;
  /** Valid until it returns. */
  received(want: Want, data: Buffer): void;
  missing(): void;
}

export class LaneClient {
  /** Received since it was taken last, and the time in which something was owed. */
  readonly meter = { bytes: 0, ms: 0 };
  readonly #opening: LaneOpening;
  readonly #events: LaneClientEvents;
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #piece = Buffer.allocUnsafeSlow(CHUNK_BYTES_MAX);
  #socket: TLSSocket | undefined;
  #isOver = false;
  #lastByteAt = 0;
  #cancelWatch: () => void = () => undefined;
  #busySince: number | undefined;

  constructor(
    opening: LaneOpening,
    events: LaneClientEvents,
    parts: { readonly clock: Clock; readonly stallMs: number },
  ) {
    this.#opening = opening;
    this.#events = events;
    this.#clock = parts.clock;
    this.#stallMs = parts.stallMs;
    void this.#open();
  }

  ask(wants: readonly Want[]): void {
    const now = this.#clock.monotonic();
    if (this.#busySince === undefined) {
      this.#busySince = now;
      this.#lastByteAt = now;
    }
    this.#socket?.write(askFrame(wants.map(({ digest }) => digest)));
  }

  /** Adds the time up to now to the meter. */
  measure(): void {
    const now = this.#clock.monotonic();
    if (this.#busySince === undefined) return;
    this.meter.ms += now - this.#busySince;
    this.#busySince = this.#events.owes() ? now : undefined;
  }

  close(): void {
    this.#isOver = true;
    this.#cancelWatch();
    this.#socket?.destroy();
  }

  async #open(): Promise<void> {
    const until = this.#clock.monotonic() + LANE_OPEN_MS;
    for (const host of new Set(this.#opening.hosts)) {
      if (this.#clock.monotonic() >= until) break;
      const socket = await this.#dial(host);
      if (this.#isOver) return void socket?.destroy();
      if (socket === undefined || socket.destroyed) continue;
      this.#socket = socket;
      socket.removeAllListeners("error");
      socket.on("error", () => undefined);
      socket.on("close", () => this.#end("cut"));
      this.#lastByteAt = this.#clock.monotonic();
      this.#watch();
      this.#events.opened();
      return;
    }
    this.#isOver = true;
    this.#events.failed();
  }

  #dial(host: string): Promise<TLSSocket | undefined> {
    const { port, identity, key } = this.#opening;
    const reader = new AnswerReader({
      begin: (bytes) => this.#begin(bytes),
      whole: (data) => this.#whole(data),
      missing: () => this.#events.missing(),
    });
    // Into one buffer over and over: an event and a buffer a TLS record cost as much as decrypting it.
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes, buffer) => this.#read(reader, buffer.subarray(0, bytes)),
    };
    const options: ConnectionOptions & { readonly onread: OnReadOpts } = {
      ...LANE_TLS,
      host,
      port,
      ca: [],
      // Never asked with a pre-shared key: who shows a certificate instead is not whom we got the ticket from.
      checkServerIdentity: () => new Error("a lane has no certificate"),
      pskCallback: () => ({ psk: key, identity }),
      onread,
    };
    return new Promise((resolve) => {
      const socket = connect(options);
      const give = (): void => {
        socket.destroy();
        settle(undefined);
      };
      const cancel = this.#clock.after(DIAL_MS + HANDSHAKE_MS, give, { unref: true });
      const cancelDial = this.#clock.after(DIAL_MS, () => socket.connecting && give(), {
        unref: true,
      });
      const settle = (opened: TLSSocket | undefined): void => {
        cancel();
        cancelDial();
        resolve(opened);
      };
      socket.on("error", give);
      socket.once("close", give);
      socket.once("secureConnect", () => {
        socket.removeListener("close", give);
        settle(socket);
      });
    });
  }

  #read(reader: AnswerReader, data: Uint8Array): boolean {
    if (this.#isOver) return false;
    this.#lastByteAt = this.#clock.monotonic();
    this.meter.bytes += data.length;
    if (reader.feed(data)) return !this.#isOver;
    this.#end("malformed");
    return false;
  }

  #begin(bytes: number): Buffer | undefined {
    const want = this.#events.expected();
    if (want === undefined || this.#isOver) return undefined;
    if (bytes > want.bytesMax || (want.bytes !== undefined && want.bytes !== bytes))
      return undefined;
    if (bytes <= this.#piece.length) return this.#piece.subarray(0, bytes);
    return Buffer.allocUnsafeSlow(bytes);
  }

  #whole(data: Buffer): void {
    const want = this.#events.expected();
    if (want !== undefined) this.#events.received(want, data);
    if (!this.#events.owes()) this.measure();
  }

  /** Leaves a source that owes and sends nothing, and closes what nobody has used for long. */
  #watch(): void {
    const every = Math.min(this.#stallMs, LANE_IDLE_MS) / 4;
    this.#cancelWatch = this.#clock.after(
      every,
      () => {
        const still = this.#clock.monotonic() - this.#lastByteAt;
        if (this.#events.owes() && still > this.#stallMs) return this.#end("stalled");
        if (!this.#events.owes() && still > LANE_IDLE_MS) return this.#end("idle");
        this.#watch();
      },
      { unref: true },
    );
  }

  #end(why: "cut" | "stalled" | "malformed" | "idle"): void {
    if (this.#isOver) return;
    this.measure();
    this.close();
    this.#events.ended(why);
  }
}
