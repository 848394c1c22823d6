/**
 * What other peers made, against what they vouch for: the owner makes each fact again from what it granted and from the outcome, and
 * that very fact must be on a page which the peer signed. So neither key, code, inputs nor seed can be another's, and what is stored is
 * what was signed.
 */
import type { ErrorRecord } from "../../src/model/errors.ts";
import { signedRecord, type RecordedBatch } from "../../src/engine/run/outcome-record.ts";
import type { Cid } from "../../src/model/ids.ts";
import type { PeerId } from "../../src/model/peer.ts";
import type { AttemptOutcome, SignedOutcome } from "../../src/task/host-messages.ts";
import { isOnPage, readPage, type FactPage } from "../../src/trust/fact-page.ts";
import { lostOutcome } from "./placement-events.ts";

export interface CheckedOutcomes {
  /** Those that are refused count as lost. */
  readonly outcomes: readonly AttemptOutcome[];
  readonly refused: ReadonlySet<PeerId>;
}

export function checkedOutcomes(
  work: RecordedBatch,
  outcomes: readonly AttemptOutcome[],
): CheckedOutcomes {
  const refused = new Set<PeerId>();
  const pages = new Map<Cid, FactPage | undefined>();
  const checked = outcomes.map((outcome) => {
    const { signed } = outcome;
    if (signed === undefined) return outcome;
    if (!pages.has(signed.page)) pages.set(signed.page, readPage(signed.data));
    const reason = faultOf(work, outcome, { signed, page: pages.get(signed.page) });
    if (reason === undefined) return outcome;
    refused.add(signed.peer);
    const peer = outcome.by ?? signed.peer;
    const error: ErrorRecord = { code: "FACT_REFUSED", details: { peer, reason } };
    return lostOutcome(outcome.position, error, peer);
  });
  return refused.size === 0 ? { outcomes, refused } : { outcomes: checked, refused };
}

function faultOf(
  work: RecordedBatch,
  outcome: AttemptOutcome,
  { signed, page }: { readonly signed: SignedOutcome; readonly page: FactPage | undefined },
): string | undefined {
  if (page === undefined) return "its page has no good signature";
  if (page.peer !== signed.peer) return `its page is signed by ${page.peer}`;
  const { fact, elementFacts } = signedRecord(work, outcome, signed);
  const isWhole = [fact, ...elementFacts].every(
    (each) => each.page === undefined || isOnPage(page, each),
  );
  return isWhole ? undefined : "what it signed is another result than the one it handed in";
}
