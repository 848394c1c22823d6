import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { linkStream } from "../../../../daemon/net/link-stream.ts";
import { connected } from "../../../../src/testing/conformance/transport.ts";
import { message } from "../../../../src/wire/message.ts";
import type { NoticeType, RequestType } from "../../../../src/wire/transport.ts";
import { startPeer, stopAll } from "../../../support/libp2p-peers.ts";

type LinkStreamArgs = Parameters<typeof linkStream>;

test("a drain that leaves the stream full is not taken for room", async () => {
  const stream = Object.assign(new EventTarget(), { writableNeedsDrain: true });
  const connection = new EventTarget();
  let drainedCount = 0;
  linkStream(...([stream, connection] as unknown as LinkStreamArgs)).attach({
    data: () => undefined,
    drained: () => drainedCount++,
    ended: () => undefined,
  });
  stream.dispatchEvent(new Event("drain"));
  await Promise.resolve();
  assert.equal(drainedCount, 0);
  stream.writableNeedsDrain = false;
  stream.dispatchEvent(new Event("drain"));
  await Promise.resolve();
  assert.equal(drainedCount, 1);
});

test("many big messages both ways at once pass over one connection", async () => {
  const bytes = message(v.object({ data: v.instance(Uint8Array) }), 4 * 1024 * 1024);
  const swap: RequestType<{ data: Uint8Array }, { data: Uint8Array }> = {
    name: "/mf/test/1/swap",
    query: bytes,
    answer: bytes,
  };
  const [a, b] = await Promise.all([startPeer(1), startPeer(2)]);
  try {
    let brokenCount = 0;
    a.subscribe(({ t }) => (brokenCount += t === "disconnected" ? 1 : 0));
    a.handle(swap, async (_, query) => query);
    b.handle(swap, async (_, query) => query);
    await connected({ a, b, breakConnection: () => undefined, close: async () => undefined });
    const data = new Uint8Array(4_000_000).fill(9);
    const asked = [1, 2, 3, 4].flatMap(() => [
      a.request(b.self, swap, { data }, { timeoutMs: 30_000 }),
      b.request(a.self, swap, { data }, { timeoutMs: 30_000 }),
    ]);
    const tell: NoticeType<{ data: Uint8Array }> = { name: "/mf/test/1/tell", message: bytes };
    const heard = new Promise<number>((resolve) => {
      b.listen(tell, (_, notice) => resolve(notice.data.length));
    });
    for (const answer of await Promise.all(asked))
      assert.equal(Buffer.compare(answer.data, data), 0);
    a.send(b.self, tell, { data });
    assert.equal(await heard, data.length);
    assert.equal(brokenCount, 0);
  } finally {
    await stopAll([a, b]);
  }
});
