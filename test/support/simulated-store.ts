/** FakeStore whose every answer is an event of a simulated world; checks at each commit what no history may break. */
import assert from "node:assert/strict";
import { decodeElementTable, elementId } from "../../src/artifact/element-table.ts";
import { ELEMENTS_OUTPUT } from "../../src/engine/run/element-memo.ts";
import type { Fact } from "../../src/model/fact.ts";
import { runText, type Cid, type MemoKey } from "../../src/model/ids.ts";
import { RUN_MOVES } from "../../src/model/journal.ts";
import type { CommitBatch, ContentLocation } from "../../src/store/ports.ts";
import { FakeStore, type Durable } from "./fake-store.ts";
import type { SimulatedWorld } from "./simulation.ts";

export class SimulatedStore extends FakeStore {
  readonly #world: SimulatedWorld;

  constructor(durable: Durable, world: SimulatedWorld) {
    super(durable);
    this.#world = world;
  }

  /** The kill may fall before the write, or between the write and its acknowledgement. */
  override async commit(batch: CommitBatch): Promise<void> {
    await this.#world.event("commit");
    this.#check(batch);
    await super.commit(batch);
    await this.#world.event("committed");
  }

  override async getFacts(keys: readonly MemoKey[]): Promise<(Fact | undefined)[]> {
    await this.#world.event("facts");
    return super.getFacts(keys);
  }

  override async locate(ids: readonly Cid[]): Promise<(ContentLocation | undefined)[]> {
    await this.#world.event("locate");
    return super.locate(ids);
  }

  /** Content of its own, or an element of a list that was cut: those travel inside their table. */
  #isDurable(id: Cid): boolean {
    const { contents, facts } = this.durable;
    if (contents.has(id)) return true;
    for (const { flow, outputs } of facts.values()) {
      const table = flow === "" ? contents.get(outputs[ELEMENTS_OUTPUT]?.id as Cid) : undefined;
      if (table === undefined) continue;
      const elements = decodeElementTable(table);
      for (let i = 0; i < elements.count; i++) if (elementId(elements, i) === id) return true;
    }
    return false;
  }

  #check({ facts, summary }: CommitBatch): void {
    for (const fact of facts ?? []) {
      if (fact.flow === "") continue;
      assert.ok(!this.durable.facts.has(fact.memoKey), `${fact.step} is made durable once`);
      for (const input of Object.values(fact.inputs)) {
        if (/^(list|object):/.test(input)) continue;
        const id = input.split("/")[0] as Cid;
        assert.ok(this.#isDurable(id), `${fact.step} rests on what is durable`);
      }
    }
    if (summary === undefined) return;
    const before = this.durable.runs.get(runText(summary.run))?.state;
    assert.ok(
      before === undefined || before === summary.state || RUN_MOVES[before].includes(summary.state),
      `a run goes from ${String(before)} to ${summary.state}`,
    );
  }
}
