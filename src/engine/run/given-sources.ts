/** The sources a run begins with: each one's value is stored, and the journal names it, so that the run can begin again with just that. */
import { INLINE_BYTES_MAX } from "../../artifact/content.ts";
import type { FlowGraph } from "../../graph/flow-graph.ts";
import { sourcesOf } from "../../graph/queries.ts";
import { MfError } from "../../model/errors.ts";
import type { InputSource } from "../../model/fact.ts";
import type { Cid } from "../../model/ids.ts";
import type { SourcePin, SourceValue } from "../../model/journal.ts";
import type { Store } from "../../store/ports.ts";
import type { RunRequest } from "../run-api.ts";

type PinnedSource = Extract<InputSource, { readonly id: Cid }>;

/** Source -> where steps read it. @throws MfError SOURCE_INVALID where the request does not have it */
export async function givenSources(
  store: Pick<Store, "putBytes">,
  graph: FlowGraph,
  { sources = {} }: Pick<RunRequest, "sources">,
): Promise<Map<string, PinnedSource>> {
  const given = new Map<string, PinnedSource>();
  for (const spec of sourcesOf(graph)) {
    const value = Object.hasOwn(sources, spec) ? sources[spec] : undefined;
    if (value === undefined) throw notGiven(graph.name, spec);
    const { id } = await store.putBytes(value.data, "messagepack");
    // A long list stays in the store, where whoever needs it fetches it once; a short one travels with the work.
    const isSmall = value.data.length <= INLINE_BYTES_MAX;
    given.set(spec, isSmall ? { k: "bytes", id, data: value.data } : { k: "artifact", id });
  }
  return given;
}

/** What the journal says of them. */
export function sourcePins(
  given: ReadonlyMap<string, InputSource>,
  { sources = {} }: Pick<RunRequest, "sources">,
): { readonly sources?: Readonly<Record<string, SourcePin>> } {
  const pins: [string, SourcePin][] = [];
  for (const [spec, input] of given) {
    const value = sources[spec];
    if (value === undefined || !("id" in input)) continue;
    const { version, files, bytes } = value;
    pins.push([spec, { id: input.id, version, files, bytes }]);
  }
  return pins.length === 0 ? {} : { sources: Object.fromEntries(pins) };
}

/** As a run had them: for one that goes on, or begins again. @throws MfError CONTENT_MISSING */
export async function pastSources(
  read: (id: Cid) => Promise<Uint8Array>,
  pins: Readonly<Record<string, SourcePin>> | undefined,
): Promise<{ readonly sources?: Readonly<Record<string, SourceValue>> }> {
  if (pins === undefined) return {};
  const values: [string, SourceValue][] = [];
  for (const [spec, { id, ...pin }] of Object.entries(pins))
    values.push([spec, { ...pin, data: await read(id) }]);
  return { sources: Object.fromEntries(values) };
}

function notGiven(flow: string, source: string): MfError {
  return new MfError("SOURCE_INVALID", {
    flow,
    source,
    reason: "whoever began the run did not read it",
    hint: "Begin it with `mf run` or `mf submit`, which read the files a flow names.",
  });
}
