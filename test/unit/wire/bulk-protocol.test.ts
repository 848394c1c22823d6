import assert from "node:assert/strict";
import { test } from "node:test";
import { cidOf } from "../../../src/artifact/cid.ts";
import { isMfError } from "../../../src/model/errors.ts";
import { SCAN_ITEMS_MAX } from "../../../src/wire/frame-scan.ts";
import {
  DOUBT,
  HAVE,
  HAVE_IDS_MAX,
  HOLD_IDS_MAX,
  INLINE_ALL_BYTES_MAX,
  PLEASE_HOLD,
  TICKET,
} from "../../../src/wire/bulk-protocol.ts";
import type { MessageCodec } from "../../../src/wire/message.ts";

/** An id as long as ids get. */
const id = cidOf("dag-json", new Uint8Array(3));

function roundTrip<M>(codec: MessageCodec<M>, message: M): void {
  const data = codec.encode(message);
  assert.ok(data.length <= codec.bytesMax, `${data.length} of ${codec.bytesMax}`);
  assert.ok(Buffer.from(codec.encode(codec.decode(data))).equals(data));
}

test("the largest questions and answers fit their limits", () => {
  const ids = Array.from({ length: HAVE_IDS_MAX }, () => id as string);
  roundTrip(HAVE.query, { ids, inline: true });
  const sizes = ids.map(() => Number.MAX_SAFE_INTEGER);
  const each = INLINE_ALL_BYTES_MAX / 256;
  const inline = Array.from({ length: 256 }, (_, at) => ({ at, data: new Uint8Array(each) }));
  roundTrip(HAVE.answer, { sizes, inline });
  // Most items a message of ours has: sizes, and a map of two a content that comes along.
  assert.ok(HAVE_IDS_MAX * 6 < SCAN_ITEMS_MAX);
  const few = ids.slice(0, HOLD_IDS_MAX);
  roundTrip(PLEASE_HOLD.query, { ids: few });
  roundTrip(PLEASE_HOLD.answer, { held: few.map(() => true) });
  roundTrip(DOUBT.message, { digests: Array.from({ length: 64 }, () => "a".repeat(64)) });
  const hosts = Array.from({ length: 16 }, () => "f".repeat(45));
  const identity = "a".repeat(48);
  roundTrip(TICKET.answer, {
    hosts,
    port: 65_535,
    identity,
    key: new Uint8Array(32),
    expiresMs: 30_000,
  });
});

test("what is beyond a limit is malformed", () => {
  const malformed = (error: unknown): boolean => isMfError(error, "MESSAGE_MALFORMED");
  const ids = Array.from({ length: HAVE_IDS_MAX + 1 }, () => "b");
  const query = HAVE.query.encode({ ids, inline: false });
  assert.throws(() => HAVE.query.decode(query), malformed);
  const key = new Uint8Array(31);
  const ticket = { hosts: [], port: 1, identity: "a".repeat(48), key, expiresMs: 1 };
  assert.throws(() => TICKET.answer.decode(TICKET.answer.encode(ticket)), malformed);
  const port = { ...ticket, key: new Uint8Array(32), port: 0 };
  assert.throws(() => TICKET.answer.decode(TICKET.answer.encode(port)), malformed);
  const size = HAVE.answer.encode({ sizes: [-2], inline: [] });
  assert.throws(() => HAVE.answer.decode(size), malformed);
});
