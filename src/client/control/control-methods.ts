/**
 * The names that may be called over the control socket, and the form of their parameters, checked by hand before anything is called:
 * nothing else of an object is reachable. `undefined` where there is no such name.
 */
import { parseCid } from "../../artifact/cid.ts";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FactRef } from "../../model/fact.ts";
import type { Cid, MemoKey, ResultId } from "../../model/ids.ts";
import { MARK_KINDS, NOTE_CHARS_MAX, TAGS_MAX } from "../../model/mark.ts";
import { RESULTS_KEPT_MAX, RUN_ORIGINS } from "../../model/journal.ts";
import { MfError } from "../../model/errors.ts";
import { PEER_ROLES, type PeerId } from "../../model/peer.ts";
import { VERSION_KINDS, type VersionsQuery } from "../versions/version-query.ts";
import type { Emit } from "./control-protocol.ts";
import type {
  CollectRequest,
  DaemonSide,
  InviteRequest,
  LogsRequest,
  MarkChange,
  SubmitRequest,
} from "./daemon-side.ts";
import { readAdoptedPart } from "../../wire/pack-schemas.ts";
import type { AdoptedPart } from "../pack/adopt.ts";
import { FACTS_MAX, SIGNERS_MAX, type ReadSide } from "./read-side.ts";

export interface Question {
  readonly params: readonly unknown[];
  readonly emit: Emit<unknown>;
  /** Aborts when it is cancelled or the connection ends. */
  readonly signal: AbortSignal;
}

type Call<S> = (side: S, question: Question) => Promise<unknown>;

/** Of one question: more are asked in pages by whoever asks. */
const IDS_MAX = 16_384;
const TEXT_CHARS_MAX = 4096;
/** Rows of one event: they are written down in a few milliseconds. */
const ROWS_PAGE = 250;
/** Entries of a journal, of which each may tell of hundreds of tasks. */
const ENTRIES_PAGE = 4;
/** Tags and parameters that one question may filter by. */
const FILTERS_MAX = 64;
/** A user's name, a project's, a branch's. */
const NAME_CHARS_MAX = 128;
/** As many as a journal takes. */
const STEPS_MAX = 4096;
const VERSIONS_MAX = 4096;
/** Runs of one question. */
const RUNS_MAX = 10_000;
/** Marks of one question. */
const MARKS_MAX = 4096;

const READ_CALLS: Readonly<Record<keyof ReadSide, Call<ReadSide>>> = {
  runs: (side, { params, emit }) => tellList(side.runs(optionalText(params[0])), emit),
  run: (side, { params }) => side.run(text(params[0])),
  status: (side, { params }) => side.status(text(params[0])),
  versions: (side, question) => tellVersions(side, question),
  resolve: (side, { params }) => side.resolve(text(params[0])),
  journal: (side, { params, emit }) => tellList(side.journal(text(params[0])), emit, ENTRIES_PAGE),
  facts: (side, { params, emit }) => tellList(side.facts(factRefs(params[0])), emit),
  marks: (side, { emit }) => tellList(side.marks(), emit),
  signers: (side, { params }) => side.signers(peerIds(params[0])),
  packageId: (side, { params }) => side.packageId(text(params[0])),
  locate: (side, { params }) => side.locate(contentIds(params[0])),
  reachable: (side, { params }) => side.reachable(contentIds(params[0])),
};

const DAEMON_CALLS: Readonly<Record<keyof DaemonSide, Call<DaemonSide>>> = {
  ...READ_CALLS,
  daemonStatus: (side) => side.daemonStatus(),
  peers: (side) => side.peers(),
  unanswered: (side) => side.unanswered(),
  prepare: (side) => side.prepare(),
  submit: (side, { params }) => side.submit(submitRequest(params[0])),
  mark: (side, { params }) => side.mark(markChanges(params[0])),
  collect: (side, { params, emit, signal }) =>
    side.collect(collectRequest(params[0]), emit, signal),
  putFile: (side, { params }) => side.putFile(text(params[0])),
  adopt: (side, { params }) => side.adopt(adoptedPart(params[0])),
  watch: (side, { params, emit, signal }) => side.watch(text(params[0]), emit, signal),
  cancel: (side, { params }) => side.cancel(text(params[0])),
  logs: (side, { params, emit, signal }) => side.logs(logsRequest(params[0]), emit, signal),
  bring: (side, { params, emit, signal }) => side.bring(contentIds(params[0]), emit, signal),
  invite: (side, { params }) => side.invite(inviteRequest(params[0])),
  revoke: (side, { params }) => side.revoke(text(params[0])),
  drain: (side, { emit, signal }) => side.drain(emit, signal),
  stop: (side) => side.stop(),
};

/** What an `mf run` answers. */
export interface StoreHolder {
  readonly readSide: ReadSide;
  readonly mark?: DaemonSide["mark"];
}

export function callHolder(
  { readSide, mark }: StoreHolder,
  method: string,
  question: Question,
): Promise<unknown> | undefined {
  if (method === "mark" && mark !== undefined) return mark(markChanges(question.params[0]));
  if (!Object.hasOwn(READ_CALLS, method)) return undefined;
  return READ_CALLS[method as keyof ReadSide](readSide, question);
}

export function callDaemon(
  side: DaemonSide,
  method: string,
  question: Question,
): Promise<unknown> | undefined {
  if (!Object.hasOwn(DAEMON_CALLS, method)) return undefined;
  return DAEMON_CALLS[method as keyof DaemonSide](side, question);
}

function text(value: unknown): string {
  if (typeof value !== "string" || value === "" || value.length > TEXT_CHARS_MAX)
    throw badParameter("a text");
  return value;
}

/** Stands beside others in one text that peers take up to 256 characters of. */
function shortText(value: unknown): string {
  const short = text(value);
  if (short.length > NAME_CHARS_MAX) throw badParameter("a short text");
  return short;
}

/** JSON has no undefined: an absent parameter comes as null. */
function optionalText(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : text(value);
}

function contentIds(value: unknown): Cid[] {
  if (
    !Array.isArray(value) ||
    value.length > IDS_MAX ||
    !value.every((id) => typeof id === "string")
  )
    throw badParameter("a list of content ids");
  return value as Cid[];
}

function contentId(value: unknown): void {
  const id = text(value);
  try {
    parseCid(id);
  } catch {
    throw badParameter("a content id");
  }
}

function peerIds(value: unknown): PeerId[] {
  if (!Array.isArray(value) || value.length > SIGNERS_MAX) throw badParameter("a list of peers");
  return value.map((peer) => text(peer) as PeerId);
}

/** Checked as what comes from a peer is: it may be another program's. */
function adoptedPart(value: unknown): AdoptedPart {
  const part = record(value);
  try {
    return readAdoptedPart(part);
  } catch (error) {
    if (error instanceof RangeError) throw badParameter(`part of a pack: ${error.message}`);
    throw error;
  }
}

function factRefs(value: unknown): FactRef[] {
  if (!Array.isArray(value) || value.length > FACTS_MAX) throw badParameter("a list of facts");
  return value.map((item): FactRef => {
    const { memoKey, result } = record(item);
    const key = text(memoKey) as MemoKey;
    return result === undefined
      ? { memoKey: key }
      : { memoKey: key, result: text(result) as ResultId };
  });
}

function markChanges(value: unknown): MarkChange[] {
  if (!Array.isArray(value) || value.length > MARKS_MAX) throw badParameter("a list of marks");
  return value.map((item): MarkChange => {
    const { kind, on, name, value: set, user } = record(item);
    const known = MARK_KINDS.find((name) => name === kind);
    if (known === undefined) throw badParameter("a kind of mark");
    if (typeof name !== "string" || name.length > TEXT_CHARS_MAX) throw badParameter("a name");
    if (set !== undefined && (typeof set !== "string" || set.length > NOTE_CHARS_MAX))
      throw badParameter("a mark's text");
    const change = { kind: known, on: text(on), name, user: shortText(user) };
    return set === undefined ? change : { ...change, value: set };
  });
}

async function tellVersions(
  side: Pick<ReadSide, "versions">,
  { params, emit }: Question,
): Promise<{ readonly more: boolean }> {
  const { rows, more } = await side.versions(versionsQuery(params[0]));
  await tellList(rows, emit);
  return { more };
}

/** In pages, as events: as one answer, very many would hold up the loop while they are written down. */
async function tellList(
  list: readonly unknown[] | Promise<readonly unknown[]>,
  emit: Emit<unknown>,
  pageRows = ROWS_PAGE,
): Promise<void> {
  const rows = await list;
  for (let at = 0; at < rows.length; at += pageRows) {
    await emit(rows.slice(at, at + pageRows));
    await nextTurn();
  }
}

function versionsQuery(value: unknown): VersionsQuery {
  if (value === undefined || value === null) return {};
  const query = record(value);
  for (const name of ["prefix", "user", "run", "peer"])
    if (!isText(query[name] ?? "")) throw badParameter("a text");
  for (const name of ["since", "until", "limit"])
    if (!Number.isFinite(query[name] ?? 0)) throw badParameter("a number");
  const { what = [], tags = [], params = {} } = query;
  const kinds: readonly unknown[] = VERSION_KINDS;
  if (!isShortList(what) || !what.every((kind) => kinds.includes(kind)))
    throw badParameter(`kinds of versions (${VERSION_KINDS.join(", ")})`);
  if (!isShortList(tags) || !tags.every(isText)) throw badParameter("a short list of tags");
  const values = Object.values(record(params));
  if (!isShortList(values) || !values.every(isText)) throw badParameter("a few parameters");
  return query;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= TEXT_CHARS_MAX;
}

function isShortList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= FILTERS_MAX;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw badParameter("an object");
  return value as Record<string, unknown>;
}

/** The form only: what is in it is compiled by the same program and checked again by whoever runs it. */
function submitRequest(value: unknown): SubmitRequest {
  const request = record(value);
  const flowPackage = record(request["flowPackage"]);
  const graph = record(flowPackage["graph"]);
  text(graph["name"]);
  if (!Array.isArray(graph["steps"])) throw badParameter("a list of steps");
  for (const step of graph["steps"]) text(record(step)["name"]);
  text(flowPackage["file"]);
  text(flowPackage["bundleId"]);
  if (typeof flowPackage["bundle"] !== "string") throw badParameter("a bundle");
  for (const code of Object.values(record(flowPackage["steps"]))) text(record(code)["codeId"]);
  for (const entry of Object.values(record(request["params"]))) {
    const param = record(entry);
    if (!(param["data"] instanceof Uint8Array) || typeof param["text"] !== "string")
      throw badParameter("an encoded parameter");
  }
  sources(request["sources"]);
  if (request["contents"] !== undefined) contentIds(request["contents"]);
  shortText(request["user"]);
  for (const name of ["project", "branch"])
    if (request[name] !== undefined) shortText(request[name]);
  const { tags = [] } = request;
  if (!Array.isArray(tags) || tags.length > TAGS_MAX) throw badParameter("a list of tags");
  for (const tag of tags) text(tag);
  if (request["seed"] !== undefined && typeof request["seed"] !== "string")
    throw badParameter("a seed");
  runOptions(request["options"]);
  provenance(request);
  return value as SubmitRequest;
}

function sources(value: unknown): void {
  if (value === undefined) return;
  for (const [name, entry] of Object.entries(record(value))) {
    text(name);
    const { data, version, files, bytes } = record(entry);
    if (!(data instanceof Uint8Array)) throw badParameter("an encoded source");
    contentIds([version]);
    for (const count of [files, bytes])
      if (!Number.isSafeInteger(count) || Number(count) < 0) throw badParameter("a count");
  }
}

/** What a run that repeats another one brings along. */
function provenance(request: Readonly<Record<string, unknown>>): void {
  const { versions = {}, origin } = request;
  const pinned = Object.entries(record(versions));
  if (pinned.length > VERSIONS_MAX) throw badParameter("a list of versions");
  for (const [pathspec, id] of pinned) {
    text(pathspec);
    contentId(id);
  }
  if (origin === undefined) return;
  const { run, how } = record(origin);
  text(run);
  if (!RUN_ORIGINS.some((known) => known === how)) throw badParameter("a run's origin");
}

function runOptions(value: unknown): void {
  const { maxTasks, maxWorkers, noCache, labels, rerun = [], results = [] } = record(value);
  for (const count of [maxTasks, maxWorkers]) {
    if (count !== undefined && !(Number.isSafeInteger(count) && Number(count) > 0))
      throw badParameter("a whole number from 1");
  }
  if (noCache !== undefined && typeof noCache !== "boolean") throw badParameter("true or false");
  if (!Array.isArray(rerun) || rerun.length > STEPS_MAX) throw badParameter("a list of steps");
  for (const step of rerun) text(step);
  if (!Array.isArray(results) || results.length > RESULTS_KEPT_MAX)
    throw badParameter("a list of results");
  for (const { memoKey, result } of results.map(record)) {
    text(memoKey);
    text(result);
  }
  if (labels === undefined) return;
  if (!Array.isArray(labels) || labels.length > 32) throw badParameter("a short list of labels");
  for (const label of labels) text(label);
}

function logsRequest(value: unknown): LogsRequest {
  const { run, step, index, follow } = record(value);
  if (index !== undefined) {
    const isIndex =
      Array.isArray(index) && index.length <= 64 && index.every((at) => Number.isSafeInteger(at));
    if (!isIndex) throw badParameter("an index");
  }
  return {
    run: text(run),
    follow: follow === true,
    ...(step === undefined ? {} : { step: text(step) }),
    ...(index === undefined ? {} : { index: index as number[] }),
  };
}

function collectRequest(value: unknown): CollectRequest {
  const { isDryRun, alsoRemoved } = record(value);
  if (!Array.isArray(alsoRemoved) || alsoRemoved.length > RUNS_MAX)
    throw badParameter("a list of runs");
  return { isDryRun: isDryRun === true, alsoRemoved: alsoRemoved.map(text) };
}

function inviteRequest(value: unknown): InviteRequest {
  const { roles, ttlMs } = record(value);
  const known: readonly unknown[] = PEER_ROLES;
  if (roles !== undefined && !(Array.isArray(roles) && roles.every((role) => known.includes(role))))
    throw badParameter(`roles (${PEER_ROLES.join(", ")})`);
  if (ttlMs !== undefined && !(typeof ttlMs === "number" && ttlMs > 0))
    throw badParameter("a duration");
  return value as InviteRequest;
}

function badParameter(what: string): MfError {
  return new MfError("USAGE", {
    message: `A question to the control socket has a wrong parameter: it must be ${what}.`,
    command: "ls",
  });
}
