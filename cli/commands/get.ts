/** `mf get`: an artifact, verified by its hash. Prints JSON; -o writes bytes and files as they are, other values as JSON. */
import { fileInfoOf } from "../../src/artifact/file-brand.ts";
import { encodeNpy } from "../../src/artifact/npy.ts";
import type { ResolvedArtifact } from "../../src/client/control/read-side.ts";
import { Records } from "../../src/client/records.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { saidWhy } from "../missing-data.ts";
import { writeOutputFile } from "../output/output-file.ts";
import { toJsonValue } from "../value-json.ts";

export interface GetOptions extends CommonOptions {
  readonly output?: string;
  readonly as?: "json" | "bytes" | "npy";
}

export function getCommand(
  context: CommandContext,
  pathspec: string,
  options: GetOptions,
): Promise<number> {
  return withReadSide(context, async (readSide) => {
    const records = new Records(readSide);
    const data = await saidWhy(readSide, pathspec, async () => {
      return formOf(records, await loadPathspec(records, pathspec), options);
    });
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

async function loadPathspec(records: Records, pathspec: string): Promise<unknown> {
  const resolved = await records.side.resolve(pathspec);
  if (resolved.kind === "content") return records.value(resolved.id);
  if (resolved.kind === "artifact") return loadArtifact(records, resolved.artifact);
  await records.bring(resolved.artifacts.map((artifact) => artifact.ref.id));
  const entries: [string, unknown][] = [];
  for (const artifact of resolved.artifacts)
    entries.push([artifact.pathspec, await loadArtifact(records, artifact)]);
  const isOneTask =
    new Set(resolved.artifacts.map((artifact) => artifact.index.join(","))).size <= 1;
  if (!isOneTask) return Object.fromEntries(entries);
  return Object.fromEntries(
    entries.map(([, value], at) => [resolved.artifacts[at]?.name ?? "", value]),
  );
}

async function loadArtifact(records: Records, artifact: ResolvedArtifact): Promise<unknown> {
  let value = await records.value(artifact.ref.id);
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

async function formOf(
  records: Records,
  value: unknown,
  options: GetOptions,
): Promise<string | Uint8Array> {
  const file = typeof value === "object" && value !== null ? fileInfoOf(value) : undefined;
  const isSaved = options.output !== undefined && options.as === undefined;
  if (options.as === "npy") return npyOf(value);
  if (options.as === "bytes" || (isSaved && options.json !== true)) {
    if (file !== undefined) return records.read(file.id as Cid);
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
