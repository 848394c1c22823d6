/** Which content attempts read. */
import { addContentIds } from "../../src/engine/run/content-cache.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { AttemptSpec } from "../../src/task/host-messages.ts";

export function inputContentIds(attempts: readonly Pick<AttemptSpec, "inputs">[]): Set<Cid> {
  const ids = new Set<Cid>();
  for (const { inputs } of attempts) addContentIds(ids, inputs);
  return ids;
}
