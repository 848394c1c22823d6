import assert from "node:assert/strict";
import { test } from "node:test";
import type { WireFrame } from "../../../../daemon/net/frame.ts";
import { encodeFrame } from "../../../../daemon/net/frame-codec.ts";
import { StreamJoinChannel } from "../../../../daemon/net/join-channel.ts";
import type { LinkStream, LinkStreamEvents } from "../../../../daemon/net/link-stream.ts";
import { JOIN_MESSAGES_MAX, JOIN_MS } from "../../../../daemon/net/net-limits.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { HELLO_BYTES_MAX } from "../../../../src/wire/admission.ts";
import { testIdentity } from "../../../support/libp2p-peers.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

test("messages come in order, also those that came before anybody waited, also after the end", async () => {
  const { channel, stream } = fixture();
  stream.hear(joinFrame("one"), joinFrame("two"));
  assert.equal(String(await channel.receive()), "one");
  stream.events?.ended();
  assert.equal(String(await channel.receive()), "two");
  await assert.rejects(channel.receive(), (error) => isMfError(error, "PEER_UNREACHABLE"));
  await assert.rejects(channel.send(Buffer.from("x")), (error) =>
    isMfError(error, "PEER_UNREACHABLE"),
  );
});

test("who says nothing is given up when the join's time is over", async () => {
  const { channel, stream, clock } = fixture();
  const waiting = channel.receive();
  clock.advance(JOIN_MS);
  await assert.rejects(waiting, (error) => isMfError(error, "PEER_TIMEOUT"));
  assert.deepEqual(stream.ends, [true]);
  assert.equal(clock.timerCount, 0);
});

test("messages that are too long, of another kind, or too many end the join", async () => {
  const many = Array.from({ length: JOIN_MESSAGES_MAX + 1 }, () => joinFrame("x"));
  const cases: readonly WireFrame[][] = [
    [{ ...joinFrame(""), body: new Uint8Array(HELLO_BYTES_MAX + 1) }],
    [{ ...joinFrame("x"), k: "hello" }],
    [{ ...joinFrame("x"), k: "request" }],
    many,
  ];
  for (const [i, frames] of cases.entries()) {
    const { channel, stream } = fixture();
    stream.hear(...frames);
    assert.deepEqual(stream.ends, [true]);
    const queuedCount = i === cases.length - 1 ? JOIN_MESSAGES_MAX : 0;
    for (let n = 0; n < queuedCount; n++) await channel.receive();
    await assert.rejects(channel.receive(), (error) => isMfError(error, "PEER_UNREACHABLE"));
  }
});

test("a message that is too long is refused at the sender, and closing ends it once", async () => {
  const { channel, stream } = fixture();
  const long = channel.send(new Uint8Array(HELLO_BYTES_MAX + 1));
  await assert.rejects(long, (error) => isMfError(error, "MESSAGE_MALFORMED"));
  await channel.close();
  await channel.close();
  assert.deepEqual(stream.ends, [false]);
});

function joinFrame(text: string): WireFrame {
  return { k: "notice", id: 0, name: "", body: Buffer.from(text) };
}

class HeardStream implements LinkStream {
  events: LinkStreamEvents | undefined;
  /** One entry an end: whether it was abrupt. */
  readonly ends: boolean[] = [];

  send(): boolean {
    return true;
  }

  attach(events: LinkStreamEvents): void {
    this.events = events;
  }

  async end(_: string, isAbrupt: boolean): Promise<void> {
    this.ends.push(isAbrupt);
    await Promise.resolve();
  }

  hear(...frames: WireFrame[]): void {
    this.events?.data(Buffer.concat(frames.map((frame) => encodeFrame(frame))));
  }
}

function fixture(): { channel: StreamJoinChannel; stream: HeardStream; clock: ManualClock } {
  const clock = new ManualClock();
  const stream = new HeardStream();
  const channel = new StreamJoinChannel(testIdentity(5).peerId, stream, clock);
  return { channel, stream, clock };
}
