/** A sweep with a known answer over real daemons: submitted at one, waited for and checked at any. */
import assert from "node:assert/strict";
import { eventuallyAsync, type MeshPeer, type MeshPlace } from "./mesh-place.ts";

export interface SweepOptions {
  readonly count: number;
  /** Each task waits so long: it needs a slot and no core. */
  readonly ms: number;
  /** Added to each result: other work than before, so that nothing is reused. */
  readonly add: number;
  /** How long the first step and the join take. @default 0 */
  readonly edgeMs?: number;
  /** What else each task puts on disk. @default 0 */
  readonly bytes?: number;
}

export interface RunJson {
  readonly run: string;
}

export interface StatusJson {
  readonly state: string;
  readonly owner: string;
  readonly steps: readonly {
    readonly name: string;
    readonly tasks: { readonly succeeded: number };
    readonly peers?: Readonly<Record<string, number>>;
  }[];
  readonly attempts: { readonly total: number; readonly lost: number };
}

/** The answer: count * (count - 1) / 2 + count * add. */
export function sweepOf({ count, ms, add, edgeMs = 0, bytes = 0 }: SweepOptions): string {
  return `
const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const sweep = flow("sweep");
const list = sweep.step("list", {}, async () => {
  await wait(${edgeMs});
  return { numbers: Array.from({ length: ${count} }, (_, i) => i) };
});
const work = sweep.step("work", { n: each(list.numbers) }, async ({ n }) => {
  await wait(${ms});
  return { n: n + ${add}, ballast: new Uint8Array(${bytes}).map((_, i) => (i * (n + 1)) >> 3) };
});
sweep.step("sum", { all: collect(work.n) }, async ({ all }) => {
  await wait(${edgeMs});
  return { total: all.reduce((sum, item) => sum + item, 0) };
});
export default sweep;`;
}

export const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export async function submit(
  peer: MeshPeer,
  place: MeshPlace,
  sweep: SweepOptions,
): Promise<string> {
  const file = place.flow(`sweep-${sweep.add}.ts`, sweepOf(sweep));
  return (await peer.json<RunJson>(["submit", file, "--detach", "--json"])).run;
}

/** Waits until `isSo` holds of the run as `peer` sees it. */
export function sees(
  peer: MeshPeer,
  run: string,
  what: string,
  isSo: (status: StatusJson) => boolean,
): Promise<StatusJson> {
  return eventuallyAsync(
    `${peer.name} sees of ${run}: ${what}`,
    async () => {
      const { code, out } = await peer.mf(["status", run, "--json"]);
      const status = code === 0 ? (JSON.parse(out) as StatusJson) : undefined;
      return status !== undefined && isSo(status) ? status : undefined;
    },
    60_000,
  );
}

export const done = ({ steps }: StatusJson, step = "work"): number =>
  steps.find(({ name }) => name === step)?.tasks.succeeded ?? 0;

export async function endsRight(
  peer: MeshPeer,
  run: string,
  { count, add }: SweepOptions,
): Promise<void> {
  const ended = await sees(peer, run, "its end", (status) => ENDED.has(status.state));
  assert.equal(ended.state, "succeeded", `${JSON.stringify(ended)}\n${peer.log()}`);
  assert.equal(
    await peer.json(["get", `${run}/sum/total`]),
    (count * (count - 1)) / 2 + count * add,
  );
}
