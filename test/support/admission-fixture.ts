/** Daemons that join each other in one process: homes in temporary folders, a clock that is turned by hand, channels in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OpenedIdentity, openIdentity } from "../../daemon/admission/identity.ts";
import type { MeshAdmission } from "../../daemon/admission/mesh-admission.ts";
import { openMesh } from "../../daemon/admission/open-mesh.ts";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { JoinChannel } from "../../src/wire/admission.ts";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** Timers run when `advance` passes them; `skewMs` is how wrong this machine's wall clock is. */
export class HandClock implements Clock {
  skewMs = 0;
  #at: number;
  #timers: { at: number; callback: () => void }[] = [];

  constructor(at = 1_800_000_000_000) {
    this.#at = at;
  }

  now(): number {
    return this.#at + this.skewMs;
  }

  monotonic(): number {
    return this.#at;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#at + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    this.#at += ms;
    const due = this.#timers.filter((timer) => timer.at <= this.#at);
    this.#timers = this.#timers.filter((timer) => timer.at > this.#at);
    for (const timer of due) timer.callback();
  }
}

export interface LogRecord {
  readonly level: string;
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

export function recordingLogger(records: LogRecord[]): Logger {
  const at =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}): void =>
      void records.push({ level, event, fields });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** One end of a conversation in memory. `cutAfter`: sends that still arrive before the connection breaks. */
class MemoryChannel implements JoinChannel {
  readonly remote: PeerId;
  other: MemoryChannel | undefined;
  cutAfter = Infinity;
  #inbox: Uint8Array[] = [];
  #waiting: { resolve: (data: Uint8Array) => void; reject: (error: Error) => void } | undefined;
  #isEnded = false;

  constructor(remote: PeerId) {
    this.remote = remote;
  }

  send(data: Uint8Array): Promise<void> {
    if (this.#isEnded) return Promise.reject(this.#gone());
    if (this.cutAfter <= 0) {
      this.end();
      this.other?.end();
      return Promise.resolve();
    }
    this.cutAfter -= 1;
    // What travels is a copy.
    this.other?.deliver(Uint8Array.from(data));
    return Promise.resolve();
  }

  receive(): Promise<Uint8Array> {
    const next = this.#inbox.shift();
    if (next !== undefined) return Promise.resolve(next);
    if (this.#isEnded) return Promise.reject(this.#gone());
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  close(): Promise<void> {
    this.end();
    this.other?.end();
    return Promise.resolve();
  }

  deliver(data: Uint8Array): void {
    if (this.#waiting === undefined) return void this.#inbox.push(data);
    this.#waiting.resolve(data);
    this.#waiting = undefined;
  }

  end(): void {
    this.#isEnded = true;
    this.#waiting?.reject(this.#gone());
    this.#waiting = undefined;
  }

  #gone(): MfError {
    return new MfError("PEER_UNREACHABLE", { peer: this.remote, reason: "it closed" });
  }
}

export interface ChannelPair {
  /** The joiner's end: its `remote` is the issuer. */
  readonly joiner: MemoryChannel;
  readonly issuer: MemoryChannel;
}

export function channelPair(joiner: PeerId, issuer: PeerId): ChannelPair {
  const ends = { joiner: new MemoryChannel(issuer), issuer: new MemoryChannel(joiner) };
  ends.joiner.other = ends.issuer;
  ends.issuer.other = ends.joiner;
  return ends;
}

export interface FixtureDaemon {
  readonly home: string;
  readonly peerId: PeerId;
  readonly opened: OpenedIdentity;
  readonly admission: MeshAdmission;
  readonly logs: LogRecord[];
  readonly clock: HandClock;
}

export interface OpenOptions {
  readonly join?: string;
  readonly home?: string;
  readonly clock?: HandClock;
  /** Looks at, or breaks, the connection of the n-th dial (from 0). */
  readonly onDial?: (pair: ChannelPair, dial: number) => void;
}

/** Daemons reach each other by peer id, as a Transport would make them. */
export class AdmissionFixture {
  readonly clock = new HandClock();
  readonly #daemons = new Map<PeerId, MeshAdmission>();
  readonly #homes: string[] = [];

  home(): string {
    const home = mkdtempSync(join(tmpdir(), "mf-admission-"));
    this.#homes.push(home);
    return home;
  }

  async open(name: string, options: OpenOptions = {}): Promise<FixtureDaemon> {
    const { home = this.home(), clock = this.clock } = options;
    const logs: LogRecord[] = [];
    const opened = openIdentity(home, systemRandom);
    const { peerId } = opened.identity;
    let dials = 0;
    const admission = await openMesh(
      {
        clock,
        random: systemRandom,
        logger: recordingLogger(logs),
        identity: opened.identity,
        dial: async (issuer) => {
          const target = this.#daemons.get(issuer);
          const gone = { peer: issuer, reason: "nobody there" };
          if (target === undefined) throw new MfError("PEER_UNREACHABLE", gone);
          const pair = channelPair(peerId, issuer);
          options.onDial?.(pair, dials++);
          void target.serveJoin(pair.issuer);
          return pair.joiner;
        },
      },
      { home, name, ...(options.join === undefined ? {} : { join: options.join }) },
    );
    this.#daemons.set(peerId, admission);
    return { home, peerId, opened, admission, logs, clock };
  }

  /** The same home, as after a restart. */
  reopen(daemon: FixtureDaemon, options: Omit<OpenOptions, "home"> = {}): Promise<FixtureDaemon> {
    return this.open(daemon.admission.name, { ...options, home: daemon.home });
  }

  dispose(): void {
    for (const home of this.#homes) rmSync(home, { recursive: true, force: true });
  }
}

export const ADDRESSES = ["/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.1/tcp/4001"];
