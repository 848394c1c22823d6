/** Watches a simulated mesh: what must never happen while it runs, and what must be true some time after everything is healed. */
import type { PeerId, PeerState } from "../../src/model/peer.ts";
import type { MembershipWorld, SimulatedMachine } from "./membership-world.ts";

export class MembershipChecker {
  /** What must never happen, by rule. */
  readonly violations: string[] = [];
  /** Verdicts `dead` about a machine that was up and reachable from the judge and from somebody else. */
  falseDeads = 0;
  falseSuspects = 0;
  /** Of each real death: ms until a living machine called it dead. */
  readonly detections: number[] = [];
  readonly #world: MembershipWorld;
  readonly #watched = new Map<SimulatedMachine, number>();
  readonly #diedAt = new Map<PeerId, number>();

  constructor(world: MembershipWorld) {
    this.#world = world;
  }

  /** Subscribes to machines that are new or started again. */
  watch(): void {
    for (const machine of this.#world.machines) {
      if (!machine.isUp || this.#watched.get(machine) === machine.boot) continue;
      this.#watched.set(machine, machine.boot);
      machine.membership?.subscribe((event) => {
        if (event.t === "changed" && event.was !== event.peer.state)
          this.#verdict(machine, event.peer.id, event.peer.state);
        if (event.t === "gone") this.#gone(machine, event.peer);
      });
    }
  }

  died(machine: SimulatedMachine): void {
    this.#diedAt.set(machine.id, this.#world.now);
  }

  revived(machine: SimulatedMachine): void {
    this.#diedAt.delete(machine.id);
  }

  #verdict(judge: SimulatedMachine, peer: PeerId, state: PeerState): void {
    const machine = this.#world.find(peer);
    if (machine === undefined) return;
    if (state === "left" && machine.state !== "left")
      this.violations.push(`${judge.index} calls ${machine.index} left, which never said so`);
    const isReachable = machine.isUp && this.#world.reaches(machine, judge);
    if (isReachable && state === "dead" && machine.boot > 0) this.falseDeads++;
    if (isReachable && state === "suspect") this.falseSuspects++;
    const diedAt = this.#diedAt.get(peer);
    if (state === "dead" && diedAt !== undefined) this.detections.push(this.#world.now - diedAt);
  }

  #gone(judge: SimulatedMachine, peer: PeerId): void {
    const machine = this.#world.find(peer);
    if (machine?.isUp === true && machine.boot === 1)
      this.violations.push(`${judge.index} calls the process of ${machine.index} gone`);
  }

  /** Every machine that is up against the truth; empty where they agree. */
  disagreements(): string[] {
    const ups = this.#world.machines.filter((machine) => machine.isUp);
    return ups.flatMap((judge) =>
      this.#world.machines.flatMap((machine) => {
        if (machine === judge) return [];
        const view = judge.membership?.get(machine.id);
        const expected = this.#expectedStates(machine);
        if (view === undefined)
          return machine.state === "left" ? [] : [`${judge.index} does not know ${machine.index}`];
        if (!expected.includes(view.state))
          return [`${judge.index} calls ${machine.index} ${view.state}, it is ${machine.state}`];
        if (machine.isUp && view.load?.cpuBusy !== machine.load.cpuBusy)
          return [`${judge.index} has an old load of ${machine.index}`];
        if (machine.isUp && view.profile?.name !== `machine-${machine.index}`)
          return [`${judge.index} has no profile of ${machine.index}`];
        return [];
      }),
    );
  }

  /** Runs until all agree; ms it took, Infinity where they did not within `limitMs`. */
  converge(limitMs: number): number {
    const start = this.#world.now;
    while (this.#world.now - start < limitMs) {
      this.#world.run(1000);
      if (this.disagreements().length === 0) return this.#world.now - start;
    }
    return Infinity;
  }

  #expectedStates(machine: SimulatedMachine): readonly PeerState[] {
    switch (machine.state) {
      case "up":
        return ["alive"];
      case "left":
        // Cut off when it said so, nobody knows better than that it is dead.
        return this.#isLeaveKnown(machine) ? ["left"] : ["dead"];
      case "asleep":
      case "stalled":
        return ["asleep", "suspect", "dead"];
      case "down":
        return ["dead"];
    }
  }

  #isLeaveKnown({ id }: SimulatedMachine): boolean {
    return this.#world.machines.some(
      (judge) => judge.isUp && judge.membership?.get(id)?.state === "left",
    );
  }
}
