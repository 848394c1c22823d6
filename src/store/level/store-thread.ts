/** The store's own thread: walks (hashes) and writes whole segments, so that the main loop never blocks on them. */
import { parentPort } from "node:worker_threads";
import { toErrorRecord } from "../../model/errors.ts";
import { walkSegment } from "../segment/segment-walk.ts";
import { SegmentWriter } from "../segment/segment-writer.ts";
import { copySegment } from "../segment/segment-copy.ts";
import { isWriteError } from "./store-layout.ts";
import type {
  PutItem,
  ThreadAnswer,
  ThreadFailure,
  ThreadGroup,
  ThreadRequest,
} from "./store-worker.ts";

parentPort?.on("message", (request: ThreadRequest) => {
  let answer: ThreadAnswer;
  try {
    answer = { id: request.id, value: perform(request) };
  } catch (error) {
    answer = { id: request.id, failure: failureOf(error) };
  }
  parentPort?.postMessage(answer);
});

function perform(request: ThreadRequest): unknown {
  switch (request.work) {
    case "walk":
      return walkSegment(request.file);
    case "put":
      return write(request.file, request.items);
    case "copy":
      return copySegment(request.file, request.items);
  }
}

function write(file: string, items: readonly PutItem[]): ThreadGroup {
  const writer = new SegmentWriter(file);
  try {
    const puts = items.map((item) => putOne(writer, item));
    const { bytes, records } = writer.finish({ sync: true });
    return { file, bytes, records, puts };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** A source that cannot be read is its own failure, not that of the segment; pieces of it already written are dead space. */
function putOne(writer: SegmentWriter, item: PutItem): ThreadGroup["puts"][number] {
  try {
    if ("source" in item) return writer.putFile(item.source, item.codec);
    return { id: writer.putContent(item.codec, item.data), bytes: item.data.length };
  } catch (error) {
    if (isWriteError(error)) throw error;
    return failureOf(error);
  }
}

function failureOf(error: unknown): ThreadFailure {
  const { code } = error as NodeJS.ErrnoException;
  return { error: toErrorRecord(error), ...(code === undefined ? {} : { code }) };
}
