/** Facts against themselves and their signatures: keys made again from their parts, and the page that lists each. */
import type { FlowPackage } from "../../code/flow-package.ts";
import { memoKeyOf } from "../../engine/run/memo-key.ts";
import { toErrorRecord } from "../../model/errors.ts";
import type { Fact } from "../../model/fact.ts";
import { runText, type Cid } from "../../model/ids.ts";
import type { PeerId } from "../../model/peer.ts";
import { isOnPage, readPage, type FactPage } from "../../trust/fact-page.ts";
import type { Records } from "../records.ts";
import type { RecordedRun } from "./recorded-run.ts";
import type { Findings, SignerFound } from "./verify-report.ts";

export function checkKeys(
  recorded: RecordedRun,
  flowPackage: FlowPackage,
  findings: Findings,
): void {
  const salts = new Map(
    flowPackage.graph.steps.map(({ name, options }) => [name, options.cache.salt ?? ""]),
  );
  for (const { where, fact, succeeded } of recorded.tasks.values()) {
    if (fact === undefined) continue;
    const { code, env, inputs, seed, step } = fact;
    const salt = salts.get(step) ?? "";
    if (step !== succeeded.step || fact.flow !== recorded.run.flow)
      findings.add("fact-differs", where, `it is a fact of ${fact.flow}/${step}`);
    else if (memoKeyOf({ code, env, inputs, seed, salt }) !== fact.memoKey)
      findings.add("fact-differs", where, "its memo key is not that of its code, inputs and seed");
  }
}

export interface SignaturesFound {
  readonly signed: number;
  readonly unsigned: number;
  readonly signers: readonly SignerFound[];
}

export async function checkSignatures(
  records: Records,
  recorded: RecordedRun,
  findings: Findings,
): Promise<SignaturesFound> {
  const tasks = [...recorded.tasks.values()];
  const ids = new Set(tasks.flatMap(({ fact }) => (fact?.page === undefined ? [] : [fact.page])));
  noteMadeAgain(recorded, findings);
  const pages = await readPages(records, [...ids]);
  const found = new Map<PeerId, { facts: number; by: Set<string> }>();
  let signed = 0;
  let unsigned = 0;
  for (const { where, fact } of tasks) {
    if (fact === undefined) continue;
    if (fact.page === undefined) unsigned++;
    else {
      const peer = signerOf(fact, { page: pages.get(fact.page), where, findings });
      if (peer === undefined) continue;
      signed++;
      const signer = found.get(peer) ?? { facts: 0, by: new Set() };
      signer.facts++;
      signer.by.add(fact.by);
      found.set(peer, signer);
    }
  }
  return { signed, unsigned, signers: await standings(records, recorded, { found, findings }) };
}

/**
 * A key and a result have one fact: where a task was executed again and came to the same, it is the later one, and whoever signed
 * the first is no longer known here. The journal says who that was. Without a mesh one clock wrote both times.
 */
function noteMadeAgain({ tasks, owners, finishedAt }: RecordedRun, findings: Findings): void {
  const later = [...tasks.values()].flatMap(({ fact, succeeded }) => {
    if (fact === undefined) return [];
    const isAfter = owners.length === 0 && finishedAt !== undefined && fact.at > finishedAt;
    return isAfter || fact.by !== succeeded.by ? [fact.by] : [];
  });
  if (later.length === 0) return;
  const by = [...new Set(later)].sort().join(", ");
  findings.note(
    `${later.length} of ${tasks.size} facts: of a later execution by ${by} that came to the same; it is that one which is signed`,
  );
}

/** Undefined where nobody vouches for it. */
function signerOf(
  fact: Fact,
  on: { readonly page: PageFound | undefined; readonly where: string; readonly findings: Findings },
): PeerId | undefined {
  const { page, where, findings } = on;
  if (page === undefined || page === "missing")
    findings.add("page-missing", where, `page ${fact.page} is neither here nor at a peer`);
  else if (page === "broken")
    findings.add("page-broken", where, `page ${fact.page} has no good signature`);
  else if (!isOnPage(page, fact))
    findings.add("not-on-page", where, `${page.peer} signed another fact: this one was altered`);
  else return page.peer;
  return undefined;
}

type PageFound = FactPage | "missing" | "broken";

async function readPages(records: Records, ids: readonly Cid[]): Promise<Map<Cid, PageFound>> {
  const places = await records.places(ids);
  const pages = new Map<Cid, PageFound>();
  for (const [position, id] of ids.entries()) {
    if (places[position] === undefined) {
      pages.set(id, "missing");
      continue;
    }
    try {
      pages.set(id, readPage(await records.read(id)) ?? "broken");
    } catch (error) {
      if (toErrorRecord(error).code === "INTERNAL") throw error;
      pages.set(id, "broken");
    }
  }
  return pages;
}

/** Who they are to this home. A peer that nobody here certified is told; in a run of this home's own mesh it is wrong. */
async function standings(
  records: Records,
  recorded: RecordedRun,
  {
    found,
    findings,
  }: {
    readonly found: ReadonlyMap<PeerId, { facts: number; by: ReadonlySet<string> }>;
    readonly findings: Findings;
  },
): Promise<SignerFound[]> {
  const known = await records.signers([...found.keys()]);
  const owners = await records.signers(recorded.owners);
  const isOurs = owners.some(({ standing }) => standing === "member" || standing === "revoked");
  const isOwn = owners.some(({ standing, name }) => standing === "self" && name !== undefined);
  return known.map((signer) => {
    const { facts, by } = found.get(signer.peer) ?? { facts: 0, by: new Set<string>() };
    const names = [...by].sort();
    const who = `${names.join(", ")} (${signer.peer})`;
    if (signer.standing === "unknown" && (isOurs || isOwn))
      findings.add(
        "signer-unknown",
        runText(recorded.run),
        `${facts} facts are signed by ${who}, whom this mesh never certified`,
      );
    else if (signer.standing === "unknown")
      findings.note(`${facts} facts are signed by ${who}, whom nobody here has certified`);
    else if (signer.standing === "revoked")
      findings.note(`${facts} facts are signed by ${who}, whose membership was revoked since`);
    if (signer.name !== undefined && names.some((name) => name !== signer.name))
      findings.note(`${who} is certified as ${signer.name}`);
    return { ...signer, facts, by: names };
  });
}
