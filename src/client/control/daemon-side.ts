/**
 * What a daemon answers on its control socket beyond the reading commands: runs of the mesh, peers, its own life. Everything that
 * crosses is data. Long answers are streams: each part is an event, the last is the result. A stream whose signal aborts ends with
 * INTERRUPTED.
 */
import type { FlowPackage } from "../../code/flow-package.ts";
import type { RunOptions, RunOrigin } from "../../model/journal.ts";
import type { Mark } from "../../model/mark.ts";
import type { Cid } from "../../model/ids.ts";
import type { GpuLoad, PeerId, PeerRole, PeerState } from "../../model/peer.ts";
import type { RunEvent, RunProgress, RunResult } from "../../engine/run-api.ts";
import type { Emit } from "./control-protocol.ts";
import type { ReadSide } from "./read-side.ts";

export interface DaemonSide extends ReadSide {
  daemonStatus(): Promise<DaemonStatus>;
  /** Every peer ever heard of, this one first. */
  peers(): Promise<readonly PeerRow[]>;
  /** Names of alive peers that did not answer the last question: what they alone know is missing from lists. */
  unanswered(): Promise<readonly string[]>;

  /** A submission is about to come: what takes a while to start is started while the asker loads its flow. */
  prepare(): Promise<void>;
  /** Accepts a run: durable here, and on `copies` peers in all, before it resolves. @throws MfError RESOURCES_UNMET, PEER_DENIED */
  submit(request: SubmitRequest): Promise<SubmitAnswer>;
  /** Writes marks, durable here before it resolves; other peers learn of them behind it. @throws MfError TAG_INVALID, TAG_RESERVED, TAGS_TOO_MANY, NOTE_TOO_LONG, MARK_INVALID, MARKS_FULL */
  mark(changes: readonly MarkChange[]): Promise<readonly Mark[]>;
  /** Stores a file of this machine (a p.file parameter). */
  putFile(path: string): Promise<{ readonly id: Cid; readonly bytes: number }>;
  /** From now to the end of the run, whichever peer owns it; survives a change of owner. */
  watch(run: string, onEvent: Emit<WatchEvent>, signal: AbortSignal): Promise<RunResult>;
  /** Resolves once the owner has been told. @throws MfError RUN_NOT_FOUND, PEER_UNREACHABLE */
  cancel(run: string): Promise<void>;
  /** Lines of every peer that ran part of it, oldest first; an empty list after what was there when asked; with `follow` until the run ends. */
  logs(request: LogsRequest, onEvent: Emit<readonly LogLine[]>, signal: AbortSignal): Promise<void>;
  /** Brings content here from other peers, so that `locate` finds it. @throws MfError CONTENT_MISSING */
  bring(
    ids: readonly Cid[],
    onEvent: Emit<{ readonly bytes: number; readonly total: number }>,
    signal: AbortSignal,
  ): Promise<void>;

  invite(request: InviteRequest): Promise<{ readonly ticket: string; readonly expiresAt: number }>;
  /** `peer`: a name, an id or a unique beginning of one. @throws MfError PEER_NOT_FOUND */
  revoke(peer: string): Promise<{ readonly peer: PeerId; readonly name: string }>;
  /** Takes no new attempts, hands its runs over, waits for what runs. */
  drain(
    onEvent: Emit<{ readonly attempts: number; readonly runs: number }>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Says goodbye and ends the process; resolves before that. */
  stop(): Promise<void>;
}

/** `mfd status --json`. */
export interface DaemonStatus {
  readonly pid: number;
  readonly name: string;
  readonly id: PeerId;
  readonly listen: readonly string[];
  /** Alive peers, this one included. */
  readonly peers: number;
  /** Runs that this daemon owns and that go on. */
  readonly runs: number;
  readonly store: { readonly bytes: number; readonly freeBytes: number; readonly state: string };
  readonly version: string;
  readonly mesh: string;
  readonly roles: readonly PeerRole[];
  readonly startedAt: number;
  readonly isDraining: boolean;
  /** p99 of the control loop's delay over the last seconds, ms. */
  readonly loopDelayMs: number;
  readonly network: {
    /** Of the messages to and from peers. */
    readonly bytesSent: number;
    readonly bytesReceived: number;
    /** Of large contents, which go beside them. */
    readonly contentBytesSent: number;
    readonly contentBytesReceived: number;
  };
}

/** A row of `mf peers --json`, with what `--wide` adds. */
export interface PeerRow {
  readonly name: string;
  readonly id: PeerId;
  readonly self: boolean;
  readonly state: PeerState;
  readonly cpus: number;
  readonly memBytes: number;
  readonly gpus: readonly GpuLoad[];
  /** Share of its cores in use, 0 to 1. */
  readonly load: number;
  readonly slots: { readonly total: number; readonly busy: number };
  readonly version: string;
  readonly memFreeBytes: number;
  readonly diskFreeBytes: number;
  readonly latencyMs?: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly roles: readonly PeerRole[];
  readonly addresses: readonly string[];
  readonly isAccepting: boolean;
}

export interface SubmitRequest {
  readonly flowPackage: FlowPackage;
  readonly params: Readonly<Record<string, { readonly data: Uint8Array; readonly text: string }>>;
  readonly user: string;
  readonly seed?: string;
  readonly options: RunOptions;
  /** As in RunRequest. */
  readonly versions?: Readonly<Record<string, Cid>>;
  readonly origin?: RunOrigin;
  readonly project?: string;
  readonly branch?: string;
  /** Given to the run as it begins. */
  readonly tags?: readonly string[];
}

export interface SubmitAnswer {
  /** `flow/id`. */
  readonly run: string;
  /** Name of the peer that owns it. */
  readonly owner: string;
  /** Peers that hold its journal and code, the owner included. */
  readonly copies: number;
}

/** What a display needs: a run handle's events, and where it stands, at most every WATCH_INTERVAL_MS. */
export type WatchEvent =
  | { readonly t: "event"; readonly event: RunEvent }
  | {
      readonly t: "progress";
      readonly progress: RunProgress;
      readonly owner: string;
      /** Peer's name -> tasks of the run that it has done; a few seconds old. */
      readonly peers?: Readonly<Record<string, number>>;
    };

/** A mark as it is to be: its time and its writer are the store's to say. */
export interface MarkChange extends Pick<Mark, "kind" | "on" | "name" | "value"> {
  readonly user: string;
}

export interface LogsRequest {
  readonly run: string;
  readonly step?: string;
  readonly index?: readonly number[];
  readonly follow: boolean;
}

export interface LogLine {
  readonly peer: string;
  readonly step: string;
  readonly index: readonly number[];
  readonly attempt: number;
  readonly at: number;
  readonly stream: "stdout" | "stderr" | "log";
  readonly text: string;
}

export interface InviteRequest {
  readonly roles?: readonly PeerRole[];
  readonly ttlMs?: number;
}
