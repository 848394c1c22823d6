/** How facts are made here: under which name, at what time, and vouched for where this process has a key. */
import type { Clock } from "../../env/clock.ts";
import type { Fact } from "../../model/fact.ts";
import type { InlineContent } from "../../store/ports.ts";
import { signFacts, type FactSigner } from "../../trust/fact-page.ts";

export interface FactMaker {
  readonly peer: string;
  now(): number;
  /** Those made together share pages; the pages go into the commit of the facts. Groups keep their order. */
  sign(groups: readonly (readonly Fact[])[]): {
    readonly groups: readonly (readonly Fact[])[];
    readonly pages: readonly InlineContent[];
  };
}

export interface FactMakerDeps {
  readonly peer: string;
  readonly clock: Clock;
  readonly signer?: FactSigner;
}

export function factMaker({ peer, clock, signer }: FactMakerDeps): FactMaker {
  return {
    peer,
    now: () => clock.now(),
    sign: (groups) =>
      signer === undefined ? { groups, pages: [] } : signFacts(groups, signer, clock.now()),
  };
}
