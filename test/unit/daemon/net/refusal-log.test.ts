import assert from "node:assert/strict";
import { test } from "node:test";
import { REFUSALS_REMEMBERED_MAX, REFUSAL_LOG_MS } from "../../../../daemon/net/net-limits.ts";
import { RefusalLog } from "../../../../daemon/net/refusal-log.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const peer = "peer" as PeerId;

test("the same refusal is said again after a pause that doubles, another reason at once", () => {
  const { log, said, clock } = fixture();
  for (let second = 0; second < 400; second++) {
    log.refused(peer, "peer-refused", "expired");
    clock.advance(1_000);
  }
  assert.equal(said.length, 3, `at 0, ${REFUSAL_LOG_MS} and three times that`);
  log.refused(peer, "peer-refused", "revoked");
  assert.deepEqual(said.at(-1), { event: "peer-refused", peer, reason: "revoked" });
});

test("what it remembers is bounded", () => {
  const { log, said } = fixture();
  const others = REFUSALS_REMEMBERED_MAX + 1;
  log.refused(peer, "peer-refused", "expired");
  for (let i = 0; i < others; i++) log.refused(`${i}` as PeerId, "peer-refused", "expired");
  log.refused(peer, "peer-refused", "expired");
  assert.equal(said.length, others + 2);
});

function fixture(): { log: RefusalLog; said: unknown[]; clock: ManualClock } {
  const clock = new ManualClock();
  const said: unknown[] = [];
  const logger = {
    ...silentLogger,
    warn: (event: string, fields?: Record<string, unknown>) => void said.push({ event, ...fields }),
  };
  return { log: new RefusalLog(clock, logger), said, clock };
}
