import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkingCopies } from "../../../src/task/working-copies.ts";
import {
  SHARED_CONTENT_BYTES_MIN,
  WORKING_COPIES_BYTES_MAX,
} from "../../../src/task/task-limits.ts";

const large = (fill: number, bytes = SHARED_CONTENT_BYTES_MIN + 1): Uint8Array =>
  new Uint8Array(bytes).fill(fill);

test("the next attempt has its copy as the content is, whatever was written into the last one", () => {
  const copies = new WorkingCopies();
  const data = large(1);
  const first = copies.copyOf("a", data);
  first.fill(9);
  copies.endAttempt();
  const second = copies.copyOf("a", data);
  assert.deepEqual([second[0], second.at(-1), second.length], [1, 1, data.length]);
  assert.equal(data[0], 1);
});

test("views that an attempt left behind are empty when it has ended", () => {
  const copies = new WorkingCopies();
  const left = copies.copyOf("a", large(1));
  copies.endAttempt();
  assert.equal(left.length, 0);
  const next = copies.copyOf("a", large(1));
  left[0] = 9;
  assert.equal(next[0], 1);
});

test("a copy that the attempt gave away is made anew, and two of one content are two", () => {
  const copies = new WorkingCopies();
  const first = copies.copyOf("a", large(1));
  structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] });
  copies.endAttempt();
  const [second, third] = [copies.copyOf("a", large(1)), copies.copyOf("a", large(1))];
  second.fill(9);
  assert.deepEqual([second.length, third[0]], [third.length, 1]);
});

test("what the last attempt did not read, is small, or is over the limit is not kept", () => {
  const copies = new WorkingCopies();
  const small = copies.copyOf("small", large(1, 10));
  copies.endAttempt();
  assert.equal(small.length, 10, "nobody takes back what is cheap to make");
  const vast = copies.copyOf("vast", large(0, WORKING_COPIES_BYTES_MAX + 1));
  copies.endAttempt();
  assert.equal(vast.length, WORKING_COPIES_BYTES_MAX + 1);
});
