/**
 * Large outputs that this peer made for its own runs get a second copy. Those made for others are placement's matter: there the
 * worker commits; here the engine does, in one commit with the journal.
 */
import type { Cid } from "../../src/model/ids.ts";
import type { CommitBatch, Store } from "../../src/store/ports.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";
import { OUTPUT_COPIES } from "../placement/placement-limits.ts";

/** `store` must be an object of closures, as ownership's is. What is committed is spread behind the answer. */
export function spreadingOutputs(store: Store, exchange: Pick<ContentExchange, "spread">): Store {
  return {
    ...store,
    async commit(batch) {
      await store.commit(batch);
      // Without a scratch segment nothing large was made here.
      if ((batch.scratch?.length ?? 0) > 0) void spreadMade(batch, store, exchange);
    },
  };
}

async function spreadMade(
  batch: CommitBatch,
  store: Pick<Store, "locate">,
  exchange: Pick<ContentExchange, "spread">,
): Promise<void> {
  const ids = largeOutputs(batch);
  if (ids.length === 0) return;
  // A batch may hold facts of other peers, too, who spread what they made themselves. A store that closes has nothing to say.
  const found = await store.locate(ids).catch(() => []);
  const here = ids.filter((_, position) => found[position] !== undefined);
  exchange.spread(here, OUTPUT_COPIES);
}

function largeOutputs({ facts = [], inline = [] }: CommitBatch): Cid[] {
  const small = new Set(inline.map(({ id }) => id));
  const ids = facts.flatMap(({ outputs }) => Object.values(outputs).map(({ id }) => id));
  return [...new Set(ids)].filter((id) => !small.has(id));
}
