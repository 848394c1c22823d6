/** Reads parts of segment files with pread, checking each against its digest. Usable in any thread of any process. */
import { closeSync, openSync, readSync } from "node:fs";
import { digestHexOf } from "../../artifact/cid.ts";
import { MfError } from "../../model/errors.ts";
import type { ContentLocation, ContentPart } from "../ports.ts";

/** The whole content, verified, in memory of its own. @throws MfError CONTENT_MISMATCH, CONTENT_MISSING */
export function readLocation(location: ContentLocation): Uint8Array {
  if ("inline" in location) return location.inline;
  const whole = new Uint8Array(location.bytes);
  readParts(location.parts, whole);
  return whole;
}

/** Verified, in memory that threads share. @throws MfError CONTENT_MISMATCH, CONTENT_MISSING */
export function readShared(location: Exclude<ContentLocation, { inline: unknown }>): {
  readonly shared: SharedArrayBuffer;
  readonly data: Uint8Array;
} {
  const shared = new SharedArrayBuffer(location.bytes);
  const data = new Uint8Array(shared);
  readParts(location.parts, data);
  return { shared, data };
}

function readParts(parts: readonly ContentPart[], whole: Uint8Array): void {
  let at = 0;
  for (const part of parts) {
    if (at + part.bytes > whole.length) throw mismatch(part);
    readPart(part, whole.subarray(at, at + part.bytes));
    at += part.bytes;
  }
  if (at !== whole.length) throw new MfError("CONTENT_MISMATCH", { id: "(parts)" });
}

/** The content in verified pieces. */
export function* streamLocation(location: ContentLocation): Generator<Uint8Array> {
  if ("inline" in location) {
    yield location.inline;
    return;
  }
  for (const part of location.parts) {
    const data = new Uint8Array(part.bytes);
    readPart(part, data);
    yield data;
  }
}

function readPart(part: ContentPart, into: Uint8Array): void {
  let fd: number;
  try {
    fd = openSync(part.file, "r");
  } catch (error) {
    throw new MfError("CONTENT_MISSING", { id: part.digest, file: part.file }, { cause: error });
  }
  try {
    for (let at = 0; at < into.length;) {
      const got = readSync(fd, into, at, into.length - at, part.offset + at);
      if (got === 0) throw mismatch(part);
      at += got;
    }
  } finally {
    closeSync(fd);
  }
  if (digestHexOf(into) !== part.digest) throw mismatch(part);
}

function mismatch(part: ContentPart): MfError {
  return new MfError("CONTENT_MISMATCH", { id: part.digest, file: part.file });
}
