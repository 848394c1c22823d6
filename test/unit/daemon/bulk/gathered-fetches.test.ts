import assert from "node:assert/strict";
import { test } from "node:test";
import { GATHERED_AT_ONCE_MAX } from "../../../../daemon/bulk/bulk-limits.ts";
import { GatheredFetches } from "../../../../daemon/bulk/gathered-fetches.ts";
import type {
  ContentFetchOptions,
  PieceGroup,
  TransferOptions,
} from "../../../../daemon/bulk/transfer-options.ts";
import type { PeerId } from "../../../../src/model/peer.ts";

interface Transfer {
  readonly group: PieceGroup;
  readonly options: TransferOptions;
  readonly end: (error?: Error) => void;
}

function scene(): { gathered: GatheredFetches; transfers: Transfer[] } {
  const transfers: Transfer[] = [];
  const gathered = new GatheredFetches((group, options) => {
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      transfers.push({ group, options, end });
    });
  });
  return { gathered, transfers };
}

const group = (peer: string, ...digests: string[]): PieceGroup => ({
  wants: digests.map((digest) => ({ digest, codec: "raw", bytesMax: 10, bytesGuess: 10 })),
  peers: [peer as PeerId],
  known: [],
});

function options(over: Partial<ContentFetchOptions> = {}): ContentFetchOptions {
  return {
    signal: new AbortController().signal,
    reserveBytes: () => 0,
    onProgress: () => undefined,
    onWrong: () => undefined,
    onLeft: () => undefined,
    moreSources: async () => [],
    ...over,
  };
}

const digestsOf = ({ group: { wants } }: Transfer): string[] => wants.map(({ digest }) => digest);

test("what waits for the same peers goes together, each piece once; other peers' do not wait", async () => {
  const { gathered, transfers } = scene();
  const bytes: number[] = [];
  const fetch = (of: PieceGroup): Promise<void> =>
    gathered.fetch(of, 10, options({ onProgress: (count) => bytes.push(count) }));
  const first = ["a", "b"].map((digest) => fetch(group("x", digest)));
  const behind = [fetch(group("x", "c")), fetch(group("x", "c", "d"))];
  const other = fetch(group("y", "e"));
  assert.deepEqual(transfers.map(digestsOf), [["a"], ["b"], ["e"]]);
  assert.equal(GATHERED_AT_ONCE_MAX, 2);
  transfers[0]?.end();
  await first[0];
  await Promise.resolve();
  const [, , , together] = transfers;
  assert.ok(together !== undefined);
  assert.deepEqual(digestsOf(together), ["c", "d"]);
  together.options.onStored("c", 7);
  assert.deepEqual(bytes, [7, 7], "both are told of the piece that both want");
  for (const { end } of transfers) end();
  await Promise.all([...first, ...behind, other]);
});

test("one that gives up does not end what the others wait for; all of them do", async () => {
  const { gathered, transfers } = scene();
  const aborts = [new AbortController(), new AbortController(), new AbortController()];
  const busy = ["a", "b"].map((digest) => gathered.fetch(group("x", digest), 10, options()));
  const behind = aborts.map(({ signal }, i) =>
    gathered.fetch(group("x", `w${i}`), 10, options({ signal })),
  );
  aborts[0]?.abort();
  for (const { end } of transfers) end();
  await Promise.all([...busy, behind[0]]);
  const [, , together] = transfers;
  assert.ok(together !== undefined);
  assert.deepEqual(digestsOf(together), ["w1", "w2"], "who gave up while waiting is not fetched");
  aborts[1]?.abort();
  assert.ok(!together.options.signal.aborted);
  aborts[2]?.abort();
  assert.ok(together.options.signal.aborted);
  together.end();
  await Promise.all(behind);
});

test("a failure is everybody's, and the next ones go on", async () => {
  const { gathered, transfers } = scene();
  const busy = ["a", "b"].map((digest) => gathered.fetch(group("x", digest), 10, options()));
  const behind = ["c", "d"].map((digest) => gathered.fetch(group("x", digest), 10, options()));
  for (const { end } of transfers) end();
  await Promise.all(busy);
  await Promise.resolve();
  transfers[2]?.end(new Error("disk"));
  for (const settled of await Promise.allSettled(behind)) assert.equal(settled.status, "rejected");
  const after = gathered.fetch(group("x", "e"), 10, options());
  transfers[3]?.end();
  await after;
});
