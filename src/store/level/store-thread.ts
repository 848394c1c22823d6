/** The store's own thread: walks (hashes) and writes whole segments, so that the main loop never blocks on them. */
import { parentPort } from "node:worker_threads";
import { toErrorRecord } from "../../model/errors.ts";
import type { ThreadAnswer, ThreadRequest } from "./store-worker.ts";
import { walkSegment } from "../segment/segment-walk.ts";
import { SegmentWriter } from "../segment/segment-writer.ts";

parentPort?.on("message", (request: ThreadRequest) => {
  let answer: ThreadAnswer;
  try {
    answer = { id: request.id, value: perform(request) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    answer = {
      id: request.id,
      error: toErrorRecord(error),
      ...(code === undefined ? {} : { code }),
    };
  }
  parentPort?.postMessage(answer);
});

function perform(request: ThreadRequest): unknown {
  if (request.work === "walk") return walkSegment(request.file);
  const writer = new SegmentWriter(request.file);
  try {
    const put = writer.putFile(request.source, request.codec);
    writer.finish();
    return put;
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
