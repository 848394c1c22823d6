/**
 * Membership of 5 to 60 machines in virtual time. MF_SIM_SEEDS and MF_SIM_HOURS make it longer; a failing test names its seed.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { MembershipEffect } from "../../daemon/membership/membership-events.ts";
import { MembershipMachine } from "../../daemon/membership/membership-machine.ts";
import { MemberStates } from "../../daemon/membership/member-states.ts";
import { MembershipChecker } from "../support/membership-checker.ts";
import { exampleLoad, MembershipWorld } from "../support/membership-world.ts";

const SEEDS = Number(process.env["MF_SIM_SEEDS"] ?? 20);
const HOURS = Number(process.env["MF_SIM_HOURS"] ?? 1);
const CONVERGE_MS = 150_000;

interface Storm {
  readonly checker: MembershipChecker;
  readonly convergedMs: number;
}

/** Some minutes of everything that happens to machines, then a quiet mesh that must agree. */
function storm(seed: number, count: number): Storm {
  const world = MembershipWorld.grown(count, { seed, loss: 0.02 });
  const checker = new MembershipChecker(world);
  checker.watch();
  world.run(20_000);
  for (let i = 0; i < 12; i++) {
    strike(world, checker);
    world.run(2000 + world.draw.next() * 40_000);
    checker.watch();
  }
  world.heal();
  world.loss = 0;
  for (const machine of world.machines) {
    if (machine.state === "asleep") machine.wake();
    if (machine.state === "down" && world.draw.next() < 0.5) {
      checker.revived(machine);
      machine.start();
    }
    machine.load = exampleLoad(Math.round(world.draw.next() * 4) / 4);
  }
  world.run(20_000);
  checker.watch();
  return { checker, convergedMs: checker.converge(CONVERGE_MS) };
}

function strike(world: MembershipWorld, checker: MembershipChecker): void {
  const { draw } = world;
  const machine = world.at(draw.below(world.machines.length));
  const other = world.at(draw.below(world.machines.length));
  switch (draw.below(9)) {
    case 0:
      if (!machine.isUp) return;
      checker.died(machine);
      return draw.next() < 0.5 ? machine.crash() : machine.vanish();
    case 1:
      if (machine.state !== "down") return;
      checker.revived(machine);
      return machine.start();
    case 2:
      if (machine.isUp) machine.sleep();
      return;
    case 3:
      if (machine.state === "asleep") machine.wake();
      return;
    case 4: {
      const side = draw.pick(world.machines, 1 + draw.below(world.machines.length - 1));
      return world.partition(side, draw.next() < 0.5 ? "broken" : "silent");
    }
    case 5:
      return world.heal();
    case 6:
      if (machine !== other) world.cut(machine, other);
      return;
    case 7:
      if (machine.isUp) machine.stall(1000 + draw.next() * 20_000);
      return;
    default:
      if (machine.isUp && machine.index > 2 && draw.next() < 0.3) machine.leave();
      else machine.load = exampleLoad(Math.round(draw.next() * 4) / 4);
  }
}

/** 1 and 4 failed while this was written. */
const STORM_SEEDS = Array.from({ length: SEEDS }, (_, i) => i + 1);

test("after any storm all machines agree within 150 s, and nobody was called left who did not leave", (t) => {
  const times: number[] = [];
  for (const seed of STORM_SEEDS) {
    const count = seed % 10 === 0 ? 24 : 5 + (seed % 8);
    const { checker, convergedMs } = storm(seed, count);
    assert.deepEqual(checker.violations, [], `seed ${seed}`);
    assert.ok(
      convergedMs < Infinity,
      `seed ${seed}: ${checker.disagreements().slice(0, 5).join("; ")}`,
    );
    times.push(convergedMs);
  }
  t.diagnostic(`converged after ${summary(times)} ms beyond the first 20 s`);
});

test("sixty machines cut in two halves for minutes agree again within a minute and a half", (t) => {
  const world = MembershipWorld.grown(60, { seed: 60 });
  const checker = new MembershipChecker(world);
  assert.ok(checker.converge(60_000) < 30_000, checker.disagreements().slice(0, 5).join("; "));
  world.partition(world.machines.slice(0, 30), "broken");
  world.run(600_000);
  assert.equal(
    world
      .at(0)
      .membership?.peers()
      .filter(({ state }) => state === "dead").length,
    30,
  );
  world.heal();
  const ms = checker.converge(90_000);
  t.diagnostic(`60 machines, halves healed: all agree after ${ms} ms`);
  assert.ok(ms < Infinity, checker.disagreements().slice(0, 5).join("; "));
});

test(`nobody is falsely called dead at 5 % loss in ${HOURS} virtual hours of 10 machines`, (t) => {
  const world = MembershipWorld.grown(10, { seed: 5, loss: 0.05, delayMs: [0.2, 200] });
  const checker = new MembershipChecker(world);
  world.run(20_000);
  checker.watch();
  world.run(HOURS * 3_600_000);
  t.diagnostic(`false suspicions: ${checker.falseSuspects}, false deaths: ${checker.falseDeads}`);
  assert.equal(checker.falseDeads, 0);
  assert.deepEqual(checker.disagreements(), []);
});

test("a crash is known within a second, a power cut within the suspicion time", (t) => {
  for (const kind of ["crash", "vanish"] as const) {
    for (const count of [5, 10, 50]) {
      const world = MembershipWorld.grown(count, { seed: count });
      const checker = new MembershipChecker(world);
      world.run(30_000);
      checker.watch();
      const victim = world.at(count - 1);
      checker.died(victim);
      victim[kind]();
      world.run(60_000);
      t.diagnostic(`${kind}, ${count} machines: dead after ${summary(checker.detections)} ms`);
      assert.equal(checker.detections.length, count - 1);
      assert.ok(Math.max(...checker.detections) < (kind === "crash" ? 1000 : 40_000));
    }
  }
});

test("a link that is dead in one direction makes nobody dead", () => {
  const world = MembershipWorld.grown(6, { seed: 3 });
  const checker = new MembershipChecker(world);
  world.run(20_000);
  checker.watch();
  world.cut(world.at(1), world.at(2));
  world.run(600_000);
  assert.equal(checker.falseDeads, 0);
  assert.deepEqual(checker.disagreements(), []);
});

test("a machine that slept for hours says so to its own, and is alive to all soon after it wakes", () => {
  const world = MembershipWorld.grown(6, { seed: 11 });
  const checker = new MembershipChecker(world);
  world.run(20_000);
  const sleeper = world.at(3);
  sleeper.say("sleep");
  world.run(100);
  sleeper.sleep();
  world.run(2 * 3_600_000);
  for (const machine of world.machines.filter(({ isUp }) => isUp))
    assert.equal(machine.membership?.get(sleeper.id)?.state, "asleep");
  sleeper.wake();
  world.run(1500);
  assert.equal(sleeper.sleptCount, 1);
  assert.ok(checker.converge(30_000) < 10_000);
});

test("a planted fault is caught: refuting without a new incarnation", (t) => {
  const { mock } = t.mock.method(MemberStates.prototype, "refute", () => false);
  assertCaught(() => mock.restore());
});

test("a planted fault is caught: dead peers are dialled no more", (t) => {
  const honest = MembershipMachine.prototype.accept;
  type Accept = Parameters<MembershipMachine["accept"]>;
  const { mock } = t.mock.method(
    MembershipMachine.prototype,
    "accept",
    function mutant(this: MembershipMachine, ...args: Accept): readonly MembershipEffect[] {
      return honest.apply(this, args).flatMap((effect) => {
        if (effect.t !== "tell" || effect.event.t !== "changed") return [effect];
        const { id, state } = effect.event.peer;
        return state === "dead" ? [effect, { t: "drop", peer: id }] : [effect];
      });
    },
  );
  assertCaught(() => mock.restore());
});

/** Some storm shows the fault, and the same storm is weathered without it. */
function assertCaught(restore: () => void): void {
  const caught = STORM_SEEDS.find((seed) => !isWeathered(seed));
  assert.ok(caught !== undefined, "no seed shows it");
  restore();
  assert.ok(isWeathered(caught), `seed ${caught} fails without the fault as well`);
}

function isWeathered(seed: number): boolean {
  const { checker, convergedMs } = storm(seed, 6);
  return checker.violations.length === 0 && convergedMs < Infinity;
}

function summary(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return `p50 ${at(0.5)}, p90 ${at(0.9)}, max ${at(1)}`;
}

test("an idle mesh of 50 talks less than 6 KB/s a peer, one whose load changes each second less than 12", (t) => {
  for (const count of [10, 50]) {
    const world = MembershipWorld.grown(count, { seed: count });
    world.run(60_000);
    world.isEncoded = true;
    assert.ok(traffic(t, world, 0) < 6000);
    assert.ok(traffic(t, world, 1) < 12_000);
  }
});

/** Bytes a second and peer while this share of the machines changes its load each second. */
function traffic(t: TestContext, world: MembershipWorld, busyShare: number): number {
  const seconds = 30;
  const before = { bytes: world.byteCount, messages: world.messageCount, cpu: process.cpuUsage() };
  for (let second = 0; second < seconds; second++) {
    for (const machine of world.machines)
      if (world.draw.next() < busyShare)
        machine.load = { ...machine.load, slots: { total: 8, busy: world.draw.below(9) } };
    world.run(1000);
  }
  const { user, system } = process.cpuUsage(before.cpu);
  const perPeer = (total: number): number => total / seconds / world.machines.length;
  const bytes = Math.round(perPeer(world.byteCount - before.bytes));
  t.diagnostic(
    `${world.machines.length} machines, ${busyShare === 0 ? "idle" : "all changing"}, each: ${bytes} B/s, ` +
      `${perPeer(world.messageCount - before.messages).toFixed(1)} messages/s, ${perPeer((user + system) / 1000).toFixed(2)} ms CPU/s`,
  );
  return bytes;
}
