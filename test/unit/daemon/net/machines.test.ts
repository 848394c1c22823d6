import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DIAL_PAUSE_MS_MAX,
  DIAL_PATIENCE_MS,
  firstDial,
  stepDial,
  type DialState,
} from "../../../../daemon/net/dial-machine.ts";
import {
  GREETING,
  QUIET_TICKS_MAX,
  stepLink,
  STUCK_TICKS_MAX,
  type LinkEvent,
  type LinkState,
} from "../../../../daemon/net/link-machine.ts";

test("a link opens once both sides let each other in, in either order", () => {
  const judged: LinkEvent = { t: "judged" };
  const welcomed: LinkEvent = { t: "welcomed" };
  for (const events of [
    [judged, welcomed],
    [welcomed, judged],
  ]) {
    const { state, effects } = play(events);
    assert.equal(state.k, "open");
    assert.deepEqual(effects.filter((effect) => effect === "open").length, 1);
    assert.ok(effects.includes("send-welcome"));
  }
});

test("a refusal is told, and ends the link as denied", () => {
  const { effects } = stepLink(GREETING, { t: "judged", refusal: "revoked" });
  assert.deepEqual(effects, [
    { t: "send-refusal", reason: "revoked" },
    { t: "end", why: "denied", reason: "revoked", isAbrupt: false },
  ]);
});

test("who greets twice, or never, is cut", () => {
  assert.equal(play([{ t: "judged" }, { t: "judged" }]).state.k, "ended");
  assert.equal(play([{ t: "judged" }, { t: "welcomed" }, { t: "welcomed" }]).state.k, "ended");
  assert.equal(play([{ t: "judged" }, { t: "deadline" }]).state.k, "ended");
  assert.equal(play([...OPEN, { t: "deadline" }]).state.k, "open");
});

test("goodbye is an orderly end, anything else a reset", () => {
  assert.deepEqual(ends([...OPEN, { t: "bye-heard" }]), ["closed"]);
  assert.deepEqual(ends([...OPEN, { t: "leave" }]), ["closed"]);
  assert.deepEqual(ends([...OPEN, { t: "stream-ended" }]), ["reset"]);
  assert.deepEqual(ends([...OPEN, { t: "fault", reason: "x" }, { t: "stream-ended" }]), ["reset"]);
});

test("silence is asked about, then taken for the end; so is a peer that reads nothing", () => {
  const quiet: LinkEvent = { t: "tick", hasHeard: false, isStuck: false };
  const { effects } = play([...OPEN, quiet]);
  assert.equal(effects.at(-1), "send-ping");
  assert.deepEqual(ends([...OPEN, ...times(QUIET_TICKS_MAX, quiet)]), ["reset"]);
  const heard: LinkEvent = { t: "tick", hasHeard: true, isStuck: false };
  assert.deepEqual(ends([...OPEN, quiet, quiet, heard, quiet, quiet]), []);
  const stuck: LinkEvent = { t: "tick", hasHeard: true, isStuck: true };
  assert.deepEqual(ends([...OPEN, ...times(STUCK_TICKS_MAX, stuck)]), ["reset"]);
});

test("dials pause longer and longer, never longer than the most, and never stop", () => {
  let { state } = firstDial(false);
  const pauses: number[] = [];
  for (let i = 0; i < 50; i++) {
    const failed = stepDial(state, { t: "failed", chance: 0 });
    const [effect] = failed.effects;
    assert.equal(effect?.t, "pause");
    if (effect?.t === "pause") pauses.push(effect.ms);
    const over = stepDial(failed.state, { t: "pause-over" });
    assert.deepEqual(over.effects, [{ t: "dial" }]);
    state = over.state;
  }
  assert.deepEqual(pauses.slice(0, 4), [250, 500, 1_000, 2_000]);
  assert.equal(Math.max(...pauses), DIAL_PAUSE_MS_MAX);
  assert.deepEqual(stepDial(state, { t: "failed", chance: 0.999 }).effects, [
    { t: "pause", ms: 15_015 },
  ]);
});

test("of two that learn of each other at once, one dials and one waits a moment first", () => {
  assert.deepEqual(firstDial(false).effects, [{ t: "dial" }]);
  const patient = firstDial(true);
  assert.deepEqual(patient.effects, [{ t: "pause", ms: DIAL_PATIENCE_MS }]);
  assert.deepEqual(stepDial(patient.state, { t: "pause-over" }).effects, [{ t: "dial" }]);
  assert.deepEqual(stepDial(patient.state, { t: "connected" }).effects, [{ t: "cancel-pause" }]);
});

test("a broken connection is dialled again at once", () => {
  const connected = stepDial({ k: "pausing", failureCount: 9 }, { t: "connected" });
  assert.deepEqual(connected.effects, [{ t: "cancel-pause" }]);
  assert.deepEqual(stepDial(connected.state, { t: "disconnected" }), firstDial(false));
});

test("a new address ends the pause; one that comes during a dial does not start another", () => {
  const pausing: DialState = { k: "pausing", failureCount: 3 };
  const added = stepDial(pausing, { t: "address-added" });
  assert.deepEqual(added.effects, [{ t: "cancel-pause" }, { t: "dial" }]);
  assert.deepEqual(stepDial(added.state, { t: "address-added" }).effects, []);
  assert.deepEqual(stepDial({ k: "connected" }, { t: "address-added" }).effects, []);
});

const OPEN: readonly LinkEvent[] = [{ t: "judged" }, { t: "welcomed" }];

function play(events: readonly LinkEvent[]): { state: LinkState; effects: string[] } {
  let state: LinkState = GREETING;
  const effects: string[] = [];
  for (const event of events) {
    const step = stepLink(state, event);
    ({ state } = step);
    for (const effect of step.effects)
      effects.push(effect.t === "end" ? `end ${effect.why}` : effect.t);
  }
  return { state, effects };
}

function ends(events: readonly LinkEvent[]): string[] {
  const { effects } = play(events);
  return effects.filter((effect) => effect.startsWith("end ")).map((effect) => effect.slice(4));
}

function times<T>(count: number, value: T): T[] {
  return Array.from({ length: count }, () => value);
}
