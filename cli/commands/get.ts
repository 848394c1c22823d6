/** `mf get`: an artifact, verified by its hash. Prints JSON; -o writes bytes and files as they are, other values as JSON. */
import { digestHexOf, parseCid } from "../../src/artifact/cid.ts";
import { decodeValue } from "../../src/artifact/codec.ts";
import { fileInfoOf } from "../../src/artifact/file-brand.ts";
import { encodeNpy } from "../../src/artifact/npy.ts";
import { contentCodecOf } from "../../src/client/content-codec.ts";
import type { ReadSide, ResolvedArtifact } from "../../src/client/control/read-side.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { ContentLocation } from "../../src/store/ports.ts";
import { readLocation } from "../../src/store/segment/segment-reader.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { writeOutputFile } from "../output/output-file.ts";
import { toJsonValue } from "../value-json.ts";

export interface GetOptions extends CommonOptions {
  readonly output?: string;
  readonly as?: "json" | "bytes" | "npy";
}

const LOCATE_BATCH = 4096;

export function getCommand(
  context: CommandContext,
  pathspec: string,
  options: GetOptions,
): Promise<number> {
  return withReadSide(context, async (readSide) => {
    const value = await loadPathspec(readSide, pathspec);
    const data = await formOf(readSide, value, options);
    if (options.output !== undefined) {
      await writeOutputFile("get", options.output, data);
      return 0;
    }
    if (typeof data !== "string" && context.terminal.isOutTty) {
      throw new MfError("FORMAT_UNSUPPORTED", {
        what: "bytes",
        format: "text on a terminal",
        formats: "-o FILE, --as json",
      });
    }
    if (typeof data === "string") context.terminal.out(data);
    else process.stdout.write(data);
    return 0;
  });
}

async function loadPathspec(readSide: ReadSide, pathspec: string): Promise<unknown> {
  const resolved = await readSide.resolve(pathspec);
  if (resolved.kind === "content") return loadContent(readSide, resolved.id);
  if (resolved.kind === "artifact") return loadArtifact(readSide, resolved.artifact);
  // All at once first: what has to come from other peers comes in one go.
  const ids = resolved.artifacts.map((artifact) => artifact.ref.id);
  for (let at = 0; at < ids.length; at += LOCATE_BATCH)
    await readSide.locate(ids.slice(at, at + LOCATE_BATCH));
  const entries: [string, unknown][] = [];
  for (const artifact of resolved.artifacts)
    entries.push([artifact.pathspec, await loadArtifact(readSide, artifact)]);
  const isOneTask =
    new Set(resolved.artifacts.map((artifact) => artifact.index.join(","))).size <= 1;
  if (!isOneTask) return Object.fromEntries(entries);
  return Object.fromEntries(
    entries.map(([, value], at) => [resolved.artifacts[at]?.name ?? "", value]),
  );
}

async function loadArtifact(readSide: ReadSide, artifact: ResolvedArtifact): Promise<unknown> {
  let value = decodeValue(await readContent(readSide, artifact.ref.id));
  for (const key of artifact.path) {
    const holder = typeof value === "object" && value !== null ? value : {};
    const next: unknown =
      holder instanceof Map
        ? holder.get(key)
        : (Object.getOwnPropertyDescriptor(holder, key)?.value as unknown);
    if (next === undefined) {
      throw new MfError("PATHSPEC_NOT_FOUND", {
        pathspec: artifact.pathspec,
        reason: `it has no property "${key}"`,
        hint: `mf get ${artifact.pathspec} prints all of it.`,
      });
    }
    value = next;
  }
  return value;
}

/** Content named by its id alone: the id says whether it is bytes or a structured value. */
async function loadContent(readSide: ReadSide, id: Cid): Promise<unknown> {
  const location = await locate(readSide, id);
  const data = readVerified(id, location);
  return contentCodecOf(id, location) === "raw" ? data : decodeValue(data);
}

async function readContent(readSide: ReadSide, id: Cid): Promise<Uint8Array> {
  return readVerified(id, await locate(readSide, id));
}

async function locate(readSide: ReadSide, id: Cid): Promise<ContentLocation> {
  const [location] = await readSide.locate([id]);
  if (location === undefined) throw new MfError("CONTENT_MISSING", { id });
  return location;
}

/** Parts of segments are checked as they are read; what came inline is checked here. */
function readVerified(id: Cid, location: ContentLocation): Uint8Array {
  const data = readLocation(location);
  if ("inline" in location && digestHexOf(data) !== parseCid(id).digest)
    throw new MfError("CONTENT_MISMATCH", { id });
  return data;
}

async function formOf(
  readSide: ReadSide,
  value: unknown,
  options: GetOptions,
): Promise<string | Uint8Array> {
  const file = typeof value === "object" && value !== null ? fileInfoOf(value) : undefined;
  const isSaved = options.output !== undefined && options.as === undefined;
  if (options.as === "npy") return npyOf(value);
  if (options.as === "bytes" || (isSaved && options.json !== true)) {
    if (file !== undefined) return readContent(readSide, file.id as Cid);
    if (value instanceof Uint8Array) return value;
    if (options.as === "bytes") throw unsupported(value, "bytes", "json");
  }
  return `${JSON.stringify(toJsonValue(value), undefined, 2) ?? "null"}\n`;
}

function npyOf(value: unknown): Uint8Array {
  if (!ArrayBuffer.isView(value) || value instanceof DataView)
    throw unsupported(value, "npy", "json");
  return encodeNpy(value);
}

function unsupported(value: unknown, format: string, formats: string): MfError {
  return new MfError("FORMAT_UNSUPPORTED", {
    what: `A value of type ${Object.prototype.toString.call(value).slice(8, -1)}`,
    format,
    formats,
  });
}
