/**
 * The store of an engine whose own results get a second copy: what a peer makes for others is spread where it is made, and what is
 * small goes to the run's keepers with its fact.
 */
import { INLINE_BYTES_MAX } from "../../src/artifact/content.ts";
import type { Store } from "../../src/store/ports.ts";
import { withCommit } from "../../src/store/with-commit.ts";
import { OUTPUT_COPIES } from "../placement/placement-limits.ts";
import type { ContentExchange } from "../../src/wire/content-exchange.ts";

export interface SpreadingOptions {
  readonly exchange: Pick<ContentExchange, "spread">;
  /** Facts with this name are made here. */
  readonly name: string;
}

export function spreadingStore(store: Store, { exchange, name }: SpreadingOptions): Store {
  return withCommit(store, async (batch) => {
    await store.commit(batch);
    const ids = (batch.facts ?? [])
      .filter((fact) => fact.by === name)
      .flatMap((fact) => Object.values(fact.outputs))
      .flatMap(({ id, bytes }) => (bytes > INLINE_BYTES_MAX ? [id] : []));
    if (ids.length > 0) exchange.spread(ids, OUTPUT_COPIES);
  });
}
