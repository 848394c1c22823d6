/** Answers other peers: of which tasks there are facts here, and those facts with what is small of their contents. */
import { INLINE_BYTES_MAX } from "../../src/artifact/content.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Fact, FactRef } from "../../src/model/fact.ts";
import type { Cid, CodeId } from "../../src/model/ids.ts";
import type { Store } from "../../src/store/ports.ts";
import { FACTS_BYTES_MAX, KEYS_MAX, PRINTS_BYTES_MAX } from "../../src/wire/sharing-protocol.ts";
import type { KnownFacts } from "./known-facts.ts";
import { FACTS_SERVED_MAX } from "./sharing-limits.ts";

export interface FactsAnswer {
  readonly facts: Fact[];
  readonly inline: { readonly id: Cid; readonly data: Uint8Array }[];
  readonly isCut: boolean;
}

/** Half for facts and their pages, so that at least something of their contents fits beside them. */
const FACT_BYTES = FACTS_BYTES_MAX / 2 - 64 * 1024;
const INLINE_BYTES = FACTS_BYTES_MAX / 2;
/** Of one content's id in the message. */
const ID_BYTES = 80;

export class FactAnswers {
  readonly #known: KnownFacts;
  readonly #store: Pick<Store, "getResults" | "locate">;
  #busy = 0;

  constructor(known: KnownFacts, store: Pick<Store, "getResults" | "locate">) {
    this.#known = known;
    this.#store = store;
  }

  known(codes: readonly CodeId[]): { known: { at: number; prints?: Uint8Array }[] } {
    let room = PRINTS_BYTES_MAX;
    const known: { at: number; prints?: Uint8Array }[] = [];
    for (const [at, code] of codes.entries()) {
      const prints = this.#known.of(code);
      if (prints === undefined) continue;
      if (prints === "many" || prints.length > room) {
        known.push({ at });
        continue;
      }
      room -= prints.length;
      known.push({ at, prints });
    }
    return { known };
  }

  /** @throws MfError PEER_UNREACHABLE where many ask already */
  async facts(self: string, refs: readonly FactRef[]): Promise<FactsAnswer> {
    if (this.#busy >= FACTS_SERVED_MAX)
      throw new MfError("PEER_UNREACHABLE", { peer: self, reason: "it has too many questions" });
    this.#busy++;
    try {
      return await this.#answer(refs);
    } finally {
      this.#busy--;
    }
  }

  /** A fact travels with the page that vouches for it, or not at all. */
  async #answer(refs: readonly FactRef[]): Promise<FactsAnswer> {
    const found = (await this.#store.getResults(refs)).filter((fact) => fact !== undefined);
    const pages = await this.#inline([...new Set(found.flatMap(({ page }) => page ?? []))]);
    const facts: Fact[] = [];
    const named = new Set<Cid>();
    let bytes = 0;
    for (const fact of found) {
      bytes += JSON.stringify(fact).length;
      if (fact.page !== undefined && !named.has(fact.page)) {
        named.add(fact.page);
        bytes += ID_BYTES + (pages.get(fact.page)?.length ?? 0);
      }
      if (facts.length > 0 && bytes > FACT_BYTES) break;
      facts.push(fact);
    }
    const vouching = new Set(facts.flatMap(({ page }) => page ?? []));
    const inline = [...pages].flatMap(([id, data]) => (vouching.has(id) ? [{ id, data }] : []));
    return {
      facts,
      inline: [...inline, ...(await this.#small(facts))],
      isCut: facts.length < found.length,
    };
  }

  async #small(facts: readonly Fact[]): Promise<FactsAnswer["inline"]> {
    const ids = new Set<Cid>();
    for (const { outputs } of facts)
      for (const { id, bytes } of Object.values(outputs))
        if (bytes <= INLINE_BYTES_MAX) ids.add(id);
    const inline: { id: Cid; data: Uint8Array }[] = [];
    let room = INLINE_BYTES;
    for (const [id, data] of await this.#inline([...ids].slice(0, KEYS_MAX))) {
      const bytes = data.length + ID_BYTES;
      if (bytes > room) continue;
      room -= bytes;
      inline.push({ id, data });
    }
    return inline;
  }

  async #inline(ids: readonly Cid[]): Promise<Map<Cid, Uint8Array>> {
    const places = await this.#store.locate(ids);
    const found = new Map<Cid, Uint8Array>();
    for (const [position, id] of ids.entries()) {
      const place = places[position];
      if (place !== undefined && "inline" in place) found.set(id, place.inline);
    }
    return found;
  }
}
