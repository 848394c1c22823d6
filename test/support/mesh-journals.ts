/** What homes hold after their daemons have stopped: read by the scripts of the campaign, from copies, so that the next to open them is a daemon. */
import assert from "node:assert/strict";
import { cpSync, lstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { MeshPeer, MeshPlace } from "./mesh-place.ts";

export interface JournalledTask {
  readonly step: string;
  readonly index: readonly number[];
  readonly memoKey: string;
  readonly attempt?: number;
}

export interface EntryJson {
  readonly t: string;
  readonly tasks?: readonly JournalledTask[];
}

interface JournalScript {
  journalProblems(homes: readonly string[]): Promise<string[]>;
  readJournal(home: string, run: string): Promise<EntryJson[]>;
}

const SCRIPT = new URL("../../../scripts/bench/journal.mjs", import.meta.url).href;

/** A former holder that missed the end asks for it after half a minute. */
const AGREE_ROUNDS_MAX = 3;

/** In the end the journals of all peers are the same: read while no daemon runs. */
export async function agree(place: MeshPlace): Promise<void> {
  for (let round = 1; ; round++) {
    await Promise.all(place.peers.map((peer) => peer.kill("SIGTERM")));
    const problems = await problemsOfJournals(place.peers);
    if (problems.length === 0) return;
    assert.ok(round < AGREE_ROUNDS_MAX, problems.join("\n"));
    await Promise.all(place.peers.map((peer) => peer.start()));
    await place.settled();
  }
}

/** Copies that differ, tasks that stand twice, runs without an end: empty where all is well. */
async function problemsOfJournals(peers: readonly MeshPeer[]): Promise<string[]> {
  return onCopies(peers, (homes, script) => script.journalProblems(homes));
}

/** The run's journal in each home. */
export async function journalsOf(
  peers: readonly MeshPeer[],
  run: string,
): Promise<readonly (readonly EntryJson[])[]> {
  return onCopies(peers, async (homes, script) => {
    const journals: EntryJson[][] = [];
    for (const home of homes) journals.push(await script.readJournal(home, run));
    return journals;
  });
}

async function onCopies<T>(
  peers: readonly MeshPeer[],
  use: (homes: readonly string[], script: JournalScript) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(join(tmpdir(), "mf-homes-"));
  try {
    const homes = peers.map(({ home }) => {
      const copy = join(root, basename(home));
      cpSync(home, copy, { recursive: true, filter: (file) => !lstatSync(file).isSocket() });
      return copy;
    });
    return await use(homes, (await import(SCRIPT)) as JournalScript);
  } finally {
    rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
