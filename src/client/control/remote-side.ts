/**
 * ReadSide and DaemonSide whose calls travel over a control connection. The answers are those of our own program in another
 * process, so their form is trusted; contents are verified when read.
 */
import type { Fact } from "../../model/fact.ts";
import type { JournalEntry, RunSummary } from "../../model/journal.ts";
import type { Mark } from "../../model/mark.ts";
import type { ContentLocation } from "../../store/ports.ts";
import type { VersionList, VersionRow } from "../versions/list-versions.ts";
import type { ControlCaller } from "./control-caller.ts";
import type { DaemonSide } from "./daemon-side.ts";
import type { ReadSide } from "./read-side.ts";

type Answer<K extends keyof DaemonSide> = Awaited<ReturnType<DaemonSide[K]>>;

/** What every process answers that holds a store, be it a daemon or an `mf run`. */
export function remoteHolder(caller: ControlCaller): ReadSide & Pick<DaemonSide, "mark"> {
  const ask = asker(caller);
  return {
    runs: (flow) => askList<RunSummary>(caller, "runs", [flow]),
    run: (run) => ask("run", [run]),
    status: (run) => ask("status", [run]),
    async versions(query) {
      const rows: VersionRow[] = [];
      const { more } = (await caller.call("versions", [query], {
        onEvent: (page) => {
          for (const row of page as readonly VersionRow[]) rows.push(row);
        },
      })) as Pick<VersionList, "more">;
      return { rows, more };
    },
    resolve: (pathspec) => ask("resolve", [pathspec]),
    packageId: (run) => ask("packageId", [run]),
    journal: (run) => askList<JournalEntry>(caller, "journal", [run]),
    async facts(refs) {
      const found = await askList<Fact | null>(caller, "facts", [refs]);
      return found.map((fact) => fact ?? undefined);
    },
    marks: () => askList<Mark>(caller, "marks", []),
    mark: (changes) => ask("mark", [changes]),
    signers: (peers) => ask("signers", [peers]),
    async locate(ids) {
      const found = (await caller.call("locate", [ids])) as (ContentLocation | null)[];
      return found.map((location) => location ?? undefined);
    },
    reachable: (ids) => ask("reachable", [ids]),
  };
}

export function remoteDaemonSide(caller: ControlCaller): DaemonSide {
  const ask = asker(caller);
  return {
    ...remoteHolder(caller),
    daemonStatus: () => ask("daemonStatus", []),
    peers: () => ask("peers", []),
    unanswered: () => ask("unanswered", []),
    prepare: () => ask("prepare", []),
    submit: (request) => ask("submit", [request]),
    putFile: (path) => ask("putFile", [path]),
    adopt: (part) => ask("adopt", [part]),
    cancel: (run) => ask("cancel", [run]),
    invite: (request) => ask("invite", [request]),
    revoke: (peer) => ask("revoke", [peer]),
    stop: () => ask("stop", []),
    watch: (run, onEvent, signal) => stream(caller, "watch", { params: [run], onEvent, signal }),
    logs: (request, onEvent, signal) =>
      stream(caller, "logs", { params: [request], onEvent, signal }),
    bring: (ids, onEvent, signal) => stream(caller, "bring", { params: [ids], onEvent, signal }),
    collect: (request, onEvent, signal) =>
      stream(caller, "collect", { params: [request], onEvent, signal }),
    drain: (onEvent, signal) => stream(caller, "drain", { params: [], onEvent, signal }),
  };
}

/** Lists come in pages, as events. */
async function askList<T>(
  caller: ControlCaller,
  method: "runs" | "journal" | "facts" | "marks",
  params: readonly unknown[],
): Promise<T[]> {
  const list: T[] = [];
  await caller.call(method, params, {
    onEvent: (page) => {
      for (const item of page as readonly T[]) list.push(item);
    },
  });
  return list;
}

function asker(caller: ControlCaller) {
  return async <K extends keyof DaemonSide>(
    method: K,
    params: readonly unknown[],
  ): Promise<Answer<K>> => (await caller.call(method, params)) as Answer<K>;
}

interface StreamCall<E> {
  readonly params: readonly unknown[];
  readonly onEvent: (event: E) => void | Promise<void>;
  readonly signal: AbortSignal;
}

async function stream<K extends keyof DaemonSide, E>(
  caller: ControlCaller,
  method: K,
  { params, onEvent, signal }: StreamCall<E>,
): Promise<Answer<K>> {
  const result = await caller.call(method, params, {
    onEvent: (event) => onEvent(event as E),
    signal,
  });
  return result as Answer<K>;
}
