import assert from "node:assert/strict";
import { test } from "node:test";
import {
  stepWatch,
  WATCH_BEGIN,
  type WatchEffect,
  type WatchMachineEvent,
  type WatchState,
} from "../../../../daemon/catalog/watch-machine.ts";
import type { PeerId } from "../../../../src/model/peer.ts";
import { PROGRESS, RESULT } from "../../../support/fake-daemon.ts";

const owner = (name: string) => ({ peer: `id-${name}` as PeerId, name });
const started = (seq: number, step: string) => ({
  seq,
  event: { t: "step-started" as const, step },
});

function run(...events: WatchMachineEvent[]): { state: WatchState; effects: WatchEffect[] } {
  let state = WATCH_BEGIN;
  let effects: readonly WatchEffect[] = [];
  for (const event of events) ({ state, effects } = stepWatch(state, event));
  return { state, effects: [...effects] };
}

const kinds = (effects: readonly WatchEffect[]): string[] => effects.map((effect) => effect.t);

const answer = (feed: string, events: readonly ReturnType<typeof started>[], more = {}) =>
  ({ t: "answered", answer: { isOwner: true, feed, events, ...more } }) as const;

test("a known owner is asked at once, an unknown one is looked for", () => {
  assert.deepEqual(run({ t: "begin", owner: owner("a") }).effects, [
    { t: "ask", owner: owner("a"), feed: undefined, after: 0 },
  ]);
  assert.deepEqual(kinds(run({ t: "begin", owner: undefined }).effects), ["locate"]);
});

test("events are told once and in order, then the owner is asked for what comes after", () => {
  const begin = { t: "begin", owner: owner("a") } as const;
  const first = answer("f", [started(1, "x"), started(2, "y")], { progress: PROGRESS });
  const told = run(begin, first);
  assert.deepEqual(kinds(told.effects), ["tell-event", "tell-event", "tell-progress", "wait"]);
  assert.deepEqual(run(begin, first, { t: "waited" }).effects, [
    { t: "ask", owner: owner("a"), feed: "f", after: 2 },
  ]);
  const again = run(begin, first, { t: "waited" }, answer("f", [started(2, "y"), started(3, "z")]));
  assert.deepEqual(again.effects[0], {
    t: "tell-event",
    event: { t: "step-started", step: "z" },
  });
  assert.deepEqual(kinds(again.effects), ["tell-event", "wait"]);
});

test("an owner that falls silent is looked for, and the next one's numbers start over", () => {
  const events: WatchMachineEvent[] = [
    { t: "begin", owner: owner("a") },
    answer("f", [started(7, "x")]),
    { t: "waited" },
    { t: "answered", answer: undefined },
  ];
  assert.deepEqual(kinds(run(...events).effects), ["locate"]);
  const next = run(...events, { t: "located", owner: owner("b") }, answer("g", [started(1, "y")]));
  assert.deepEqual(kinds(next.effects), ["tell-event", "wait"]);
  assert.equal(next.state.after, 1);
  assert.equal(next.state.owner?.name, "b");
});

test("while nobody owns the run the search goes on, with pauses", () => {
  const lost = run({ t: "begin", owner: undefined }, { t: "located", owner: undefined });
  assert.deepEqual(kinds(lost.effects), ["wait"]);
  assert.deepEqual(kinds(stepWatch(lost.state, { t: "waited" }).effects), ["locate"]);
});

test("a peer that points at the owner is believed, peers that point at each other are not for ever", () => {
  const points = (name: string): WatchMachineEvent => ({
    t: "answered",
    answer: { isOwner: false, owner: owner(name), events: [] },
  });
  assert.deepEqual(run({ t: "begin", owner: owner("a") }, points("b")).effects, [
    { t: "ask", owner: owner("b"), feed: undefined, after: 0 },
  ]);
  const circle = run(
    { t: "begin", owner: owner("a") },
    points("b"),
    points("a"),
    points("b"),
    points("a"),
  );
  assert.deepEqual(kinds(circle.effects), ["wait"]);
  assert.deepEqual(kinds(stepWatch(circle.state, { t: "waited" }).effects), ["locate"]);
});

test("the result ends it, after the last events", () => {
  const end = run(
    { t: "begin", owner: owner("a") },
    answer("f", [started(1, "x")], { result: RESULT }),
  );
  assert.deepEqual(kinds(end.effects), ["tell-event", "finish"]);
  assert.equal(end.state.phase, "done");
});

test("of a run that has ended whoever has its journal tells the result", () => {
  const end = run(
    { t: "begin", owner: undefined },
    { t: "located", owner: owner("c") },
    { t: "answered", answer: { isOwner: false, events: [], result: RESULT } },
  );
  assert.deepEqual(kinds(end.effects), ["finish"]);
});
