/** Runs that are not what they say: what is stored is altered byte by byte, and `mf verify` names the place. Packs, through homes and daemons. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, writeSync } from "node:fs";
import { closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cidOf } from "../../src/artifact/cid.ts";
import { encodeValue } from "../../src/artifact/codec.ts";
import { localReadSide } from "../../src/client/control/local-read-side.ts";
import { Records } from "../../src/client/records.ts";
import { verifyRun } from "../../src/client/verify/verify-run.ts";
import type { VerifyReport } from "../../src/client/verify/verify-report.ts";
import { systemClock } from "../../src/env/clock.ts";
import { silentLogger } from "../../src/env/logger.ts";
import { systemRandom } from "../../src/env/random.ts";
import type { Fact } from "../../src/model/fact.ts";
import type { RunRef } from "../../src/model/ids.ts";
import { defined } from "../../src/std/assert.ts";
import { decodeFact, encodeFact, PREFIX } from "../../src/store/level/index-rows.ts";
import { openLevelKv, type Kv } from "../../src/store/level/kv.ts";
import { openStore } from "../../src/store/open-store.ts";
import { keyPairOf, peerIdOf } from "../../src/trust/ed25519.ts";
import { signFacts } from "../../src/trust/fact-page.ts";
import { errorOf, MfPlace } from "../support/mf-process.ts";
import { MeshPlace } from "../support/mesh-place.ts";

const FLOW = `const odd = flow("odd", { n: p.number(3) });
const list = odd.step("list", odd.params, ({ n }) => ({
  xs: Array.from({ length: n }, (_, i) => i), big: new Uint8Array(100_000).fill(n) }));
const square = odd.step("square", { x: each(list.xs) }, ({ x }) => ({ y: x * x, other: -1 - x }));
odd.step("sum", { ys: collect(square.y), big: list.big }, ({ ys, big }) => ({ sum: ys.reduce((s, y) => s + y, big.length) }));
export default odd;`;

interface RunJson {
  readonly run: string;
}

describe("a run that was altered", () => {
  const place = new MfPlace();
  const homes: string[] = [];
  let run: RunRef;
  let text = "";
  before(async () => {
    const file = place.flow("odd.ts", FLOW);
    text = ((await place.json(["run", file, "--json"])) as RunJson).run;
    const [flow = "", id = ""] = text.split("/");
    run = { flow, id } as RunRef;
  });
  after(() => {
    for (const home of homes) rmSync(home, { recursive: true, force: true });
    place.dispose();
  });

  /** A copy of the home, altered in its index or its files. */
  async function altered(alter: (kv: Kv, home: string) => Promise<void> | void): Promise<string> {
    const home = mkdtempSync(join(tmpdir(), "mf-altered-"));
    homes.push(home);
    cpSync(place.home, home, { recursive: true });
    const kv = await openLevelKv(join(home, "store", "index"));
    try {
      await alter(kv, home);
    } finally {
      await kv.close();
    }
    return home;
  }

  async function verified(home: string, isQuick = false): Promise<VerifyReport> {
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger };
    const store = await openStore(home, deps);
    try {
      return await verifyRun(new Records(localReadSide(store)), run, { isQuick });
    } finally {
      await store.close();
    }
  }

  async function factRows(kv: Kv, step: string): Promise<[string, Fact][]> {
    const rows: [string, Fact][] = [];
    for await (const [key, row] of kv.rows(PREFIX.fact)) {
      const fact = decodeFact(row);
      if (fact?.step === step) rows.push([key, fact]);
    }
    return rows;
  }

  const alterFact = (step: string, change: (fact: Fact) => Fact): Promise<string> =>
    altered(async (kv) => {
      const [first] = await factRows(kv, step);
      const [key, fact] = defined(first);
      await kv.batch([{ type: "put", key, value: encodeFact(change(fact)) }]);
    });

  const kindsOf = ({ problems }: VerifyReport): string[] => [
    ...new Set(problems.map(({ kind }) => kind)),
  ];

  test("as it is: nothing is wrong, and all of it was looked at", async () => {
    const report = await verified(place.home);
    assert.deepEqual(report.problems, []);
    const { entries: _entries, contents: _contents, bytes, ...counts } = report.counts;
    assert.deepEqual(counts, {
      tasks: 5,
      codes: 3,
      traced: 5,
      signed: 5,
      unsigned: 0,
      missing: 0,
    });
    assert.ok(bytes > 100_000);
    assert.deepEqual(
      report.signers.map(({ standing, by, facts }) => ({ standing, by, facts })),
      [{ standing: "self", by: ["local"], facts: 5 }],
    );
    assert.equal((await verified(place.home, true)).counts.bytes, 0);
  });

  test("a flipped byte of an output in a segment", async () => {
    const home = await altered((_kv, at) => {
      const folder = join(at, "store", "segments");
      for (const name of readdirSync(folder)) {
        const file = openSync(join(folder, name), "r+");
        const byte = Buffer.alloc(1);
        readSync(file, byte, 0, 1, 50_000);
        writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 50_000);
        closeSync(file);
      }
    });
    const report = await verified(home);
    assert.deepEqual(kindsOf(report), ["content-differs"]);
    assert.equal(report.problems[0]?.where, `${text}/list/big`);
    const { code, out } = await place.mf(["verify", text, "--json"], { MF_HOME: home });
    assert.equal(code, 7);
    assert.equal((JSON.parse(out) as VerifyReport).isOk, false);
  });

  test("a small output with other bytes under its id", async () => {
    const home = await altered(async (kv) => {
      const [[, fact]] = (await factRows(kv, "sum")) as [[string, Fact]];
      const other = encodeValue(7);
      const id = defined(fact.outputs["sum"]).id;
      for await (const [key, value] of kv.rows(PREFIX.inline))
        if (cidOf("messagepack", value) === id)
          await kv.batch([{ type: "put", key, value: other.data }]);
    });
    assert.ok(kindsOf(await verified(home)).includes("content-differs"));
  });

  test("a fact that says another name or time than was signed", async () => {
    for (const change of [{ by: "eve" }, { at: 1 }, { wallMs: 9 }]) {
      const home = await alterFact("sum", (fact) => ({ ...fact, ...change }));
      const report = await verified(home);
      assert.deepEqual(kindsOf(report), ["not-on-page"]);
      assert.equal(report.problems[0]?.where, `${text}/sum`);
    }
  });

  test("two outputs of a fact that changed places", async () => {
    const home = await alterFact("square", (fact) => {
      const { y, other } = fact.outputs;
      return { ...fact, outputs: { y: defined(other), other: defined(y) } };
    });
    const report = await verified(home);
    assert.equal(report.problems[0]?.kind, "fact-missing");
    assert.match(report.problems[0]?.where ?? "", /square\[0\]|square\[1\]|square\[2\]/);
  });

  test("a fact with inputs that are not the run's", async () => {
    const home = await alterFact("sum", (fact) => ({
      ...fact,
      inputs: { ...fact.inputs, big: defined(fact.inputs["ys"]) },
    }));
    assert.deepEqual(kindsOf(await verified(home)).sort(), ["fact-differs", "not-on-page"]);
  });

  test("a fact that is gone, and one whose page is", async () => {
    const gone = await altered(async (kv) => {
      const [first] = await factRows(kv, "sum");
      await kv.batch([{ type: "del", key: defined(first)[0] }]);
    });
    assert.deepEqual(kindsOf(await verified(gone)), ["fact-missing"]);
    const pageless = await altered(async (kv) => {
      for await (const [key, value] of kv.rows(PREFIX.inline))
        if (Buffer.from(value).toString("latin1", 0, 8) === "mf-page1")
          await kv.batch([{ type: "del", key }]);
    });
    assert.deepEqual(kindsOf(await verified(pageless)), ["page-missing"]);
  });

  test("facts of version 0.1 are unsigned, not wrong", async () => {
    const home = await altered(async (kv) => {
      for (const step of ["list", "square", "sum"])
        for (const [key, { page: _page, ...fact }] of await factRows(kv, step))
          await kv.batch([{ type: "put", key, value: encodeFact(fact) }]);
    });
    const report = await verified(home);
    assert.deepEqual(report.problems, []);
    assert.equal(report.counts.unsigned, 5);
  });

  test("a journal with a flipped byte", async () => {
    const home = await altered(async (kv) => {
      const rows: [string, Uint8Array][] = [];
      for await (const row of kv.rows(PREFIX.journal)) rows.push(row);
      const [key, value] = defined(rows[1]);
      const bent = new Uint8Array(value);
      bent[40] = (bent[40] ?? 0) ^ 1;
      await kv.batch([{ type: "put", key, value: bent }]);
    });
    assert.deepEqual(kindsOf(await verified(home)), ["journal-broken"]);
  });

  test("a journal written anew, with a whole chain, that names another result of a task", async () => {
    const home = await altered(() => undefined);
    const store = await openStore(home, {
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    const entries = [];
    for await (const entry of store.journal(run)) entries.push(entry);
    const facts: Fact[] = [];
    for await (const fact of store.facts()) if (fact.step === "square") facts.push(fact);
    const [a, b] = facts;
    const swapped = entries.map((entry) =>
      entry.t !== "tasks-succeeded"
        ? entry
        : {
            ...entry,
            tasks: entry.tasks.map(({ result: _result, ...task }) =>
              task.memoKey === defined(a).memoKey
                ? { ...task, memoKey: defined(b).memoKey }
                : task.memoKey === defined(b).memoKey
                  ? { ...task, memoKey: defined(a).memoKey }
                  : task,
            ),
          },
    );
    await store.commit({ journal: { run, entries: swapped, from: 0 } });
    await store.close();
    const report = await verified(home);
    assert.ok(kindsOf(report).includes("inputs-differ"), JSON.stringify(report.problems));
  });

  test("a fact that somebody else made and signed is told, with who it was", async () => {
    const keys = keyPairOf(new Uint8Array(32).fill(9));
    const peerId = peerIdOf(keys.publicKey);
    const home = await altered(async (kv) => {
      const [first] = await factRows(kv, "sum");
      const [key, { page: _page, ...fact }] = defined(first);
      const made = signFacts([[fact]], { peerId, sign: (data) => keys.sign(data) }, 5);
      const page = defined(made.pages[0]);
      const digest = Buffer.from(page.data);
      const { createHash } = await import("node:crypto");
      const name = createHash("sha256").update(digest).digest("hex");
      await kv.batch([
        { type: "put", key, value: encodeFact(defined(made.groups[0]?.[0])) },
        { type: "put", key: PREFIX.inline + name, value: page.data },
      ]);
    });
    const report = await verified(home);
    assert.deepEqual(report.problems, []);
    const stranger = report.signers.find(({ peer }) => peer === peerId);
    assert.equal(stranger?.standing, "unknown");
    assert.match(report.notes.join("\n"), new RegExp(peerId));
  });

  test("a pack goes to another home, verifies there, is reused there, and is the same pack again", async () => {
    const pack = join(place.root, "odd.mfpack");
    assert.equal((await place.mf(["export", text, "-o", pack])).code, 0);
    const home = mkdtempSync(join(tmpdir(), "mf-import-"));
    homes.push(home);
    const env = { MF_HOME: home };
    const imported = (await place.json(["import", pack, "--json"], env)) as { isNew: boolean };
    assert.equal(imported.isNew, true);
    assert.equal(
      ((await place.json(["import", pack, "--json"], env)) as typeof imported).isNew,
      false,
    );
    const report = (await place.json(["verify", text, "--json"], env)) as VerifyReport;
    assert.equal(report.isOk, true);
    assert.equal(report.counts.traced, 5);
    assert.equal((await place.mf(["get", `${text}/sum/sum`], env)).out.trim(), "100005");
    const again = await place.mf(["run", join(place.flows, "odd.ts"), "--no-check"], env);
    assert.match(again.out, /all 5 tasks were reused/);
    const back = join(place.root, "back.mfpack");
    assert.equal((await place.mf(["export", text, "-o", back], env)).code, 0);
    const { readFileSync } = await import("node:fs");
    assert.ok(readFileSync(pack).equals(readFileSync(back)));
  });

  test("a pack without data says so when data is asked for, and is completed by one that has it", async () => {
    const small = join(place.root, "small.mfpack");
    const whole = join(place.root, "whole.mfpack");
    assert.equal((await place.mf(["export", text, "-o", small, "--no-data"])).code, 0);
    assert.equal((await place.mf(["export", text, "-o", whole])).code, 0);
    const home = mkdtempSync(join(tmpdir(), "mf-import-"));
    homes.push(home);
    const env = { MF_HOME: home };
    assert.equal((await place.mf(["import", small], env)).code, 0);
    assert.equal((await place.mf(["get", `${text}/sum/sum`], env)).out.trim(), "100005");
    const missing = await place.mf(["get", `${text}/list/big`, "--json"], env);
    assert.equal(missing.code, 7);
    assert.equal(errorOf(missing).code, "PACK_WITHOUT_DATA");
    const report = (await place.json(["verify", text, "--json"], env)) as VerifyReport;
    assert.equal(report.isOk, true);
    assert.equal(report.missing[0]?.where, `${text}/list/big`);
    assert.equal((await place.mf(["import", whole], env)).code, 0);
    assert.equal((await place.mf(["get", `${text}/list/big`], env)).code, 0);
  });
});

describe("signatures in a mesh", () => {
  let place: MeshPlace;
  before(async () => {
    place = await MeshPlace.of(2, ["--cpus", "1"]);
  });
  after(() => place.dispose());

  test("facts of both peers are signed by them, verified from either, and told where one was revoked", async () => {
    const [a, b] = [place.peer(0), place.peer(1)];
    const file = place.flow(
      "wide.ts",
      `const wide = flow("wide");
const list = wide.step("list", {}, () => ({ xs: Array.from({ length: 12 }, (_, i) => i) }));
const work = wide.step("work", { x: each(list.xs) }, async ({ x }) => {
  await new Promise((resolve) => setTimeout(resolve, 120));
  return { y: x, big: new Uint8Array(50_000).fill(x) };
});
wide.step("sum", { ys: collect(work.y) }, ({ ys }) => ({ n: ys.length }));
export default wide;`,
    );
    const { run } = await a.json<RunJson>(["submit", file, "--no-check", "--json"]);
    const reports = [
      await a.json<VerifyReport>(["verify", run, "--json"]),
      await b.json<VerifyReport>(["verify", run, "--json"]),
    ];
    for (const { isOk, counts, signers } of reports) {
      assert.ok(isOk);
      assert.equal(counts.signed, 14);
      assert.equal(counts.traced, 14);
      assert.deepEqual(signers.map(({ by }) => by.join()).sort(), ["a", "b"]);
      for (const { standing, by, name } of signers) {
        assert.ok(standing === "self" || standing === "member");
        assert.equal(name, by[0]);
      }
    }
    const pack = join(place.root, "wide.mfpack");
    assert.equal((await b.mf(["export", run, "-o", pack])).code, 0);
    // A home whose daemon does not run knows its members from its files.
    await b.kill("SIGTERM");
    const offline = await b.json<VerifyReport>(["verify", run, "--json"]);
    assert.ok(offline.isOk, JSON.stringify(offline.problems));
    assert.deepEqual(
      offline.signers.map(({ by, standing, name }) => `${by[0]} ${standing} ${name}`).sort(),
      ["a member a", "b self b"],
    );
    assert.equal((await a.mfd(["revoke", "b"])).code, 0);
    const after = await a.json<VerifyReport>(["verify", run, "--json"]);
    assert.ok(after.isOk);
    assert.equal(after.signers.find(({ by }) => by[0] === "b")?.standing, "revoked");

    await a.kill("SIGTERM");
    const offlineAfter = await a.json<VerifyReport>(["verify", run, "--json"]);
    assert.deepEqual(offlineAfter.signers, after.signers);

    const other = await MeshPlace.of(1, ["--cpus", "1"]);
    try {
      const daemon = other.peer(0);
      const imported = await daemon.json<{ isNew: boolean }>(["import", pack, "--json"]);
      assert.equal(imported.isNew, true);
      const there = await daemon.json<VerifyReport>(["verify", run, "--json"]);
      assert.ok(there.isOk, JSON.stringify(there.problems));
      assert.equal(
        there.signers.every(({ standing }) => standing === "unknown"),
        true,
      );
      assert.equal((await daemon.mf(["get", `${run}/sum/n`])).out.trim(), "12");
      assert.equal(
        (await daemon.mf(["get", `${run}/work[3]/big`, "-o", join(place.root, "big")])).code,
        0,
      );
      await daemon.kill("SIGTERM");
      await daemon.start();
      assert.equal((await daemon.json<RunJson[]>(["ls", "--json"])).length, 1);
    } finally {
      other.dispose();
    }
  });
});
