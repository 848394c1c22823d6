import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createMeshHosts } from "../../../../daemon/placement/mesh-hosts.ts";
import { decodeValue } from "../../../../src/artifact/codec.ts";
import { createEngine } from "../../../../src/engine/engine.ts";
import { createHostPool } from "../../../../src/engine/hosts/host-pool.ts";
import { taskOutputs } from "../../../../src/engine/lookup/run-outputs.ts";
import { logFileOf } from "../../../../src/engine/run/log-file.ts";
import { systemClock } from "../../../../src/env/clock.ts";
import { silentLogger } from "../../../../src/env/logger.ts";
import { systemRandom } from "../../../../src/env/random.ts";
import type { FlowPackage, ScriptCode } from "../../../../src/code/flow-package.ts";
import type { CodeId } from "../../../../src/model/ids.ts";
import type { PeerId, PeerView } from "../../../../src/model/peer.ts";
import { openStore } from "../../../../src/store/open-store.ts";
import type { Store } from "../../../../src/store/ports.ts";
import type { PeerDirectory } from "../../../../src/wire/peer-directory.ts";
import { collect, constant, each, flowPackage, out } from "../../../support/engine-fixture.ts";
import { createMemoryNetwork } from "../../../support/memory-network.ts";

const home = mkdtempSync(join(tmpdir(), "mf-placement-"));
const network = createMemoryNetwork();
const stores = new Map<string, Store>();
const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
  rmSync(home, { recursive: true, force: true });
});

function view(name: string, self: string): PeerView {
  const slots = { total: 1, busy: 0 };
  return {
    id: name as PeerId,
    isSelf: name === self,
    state: "alive",
    addresses: [],
    isConnected: true,
    profile: {
      name,
      version: "1",
      roles: ["work", "submit"],
      labels: { [name]: "" },
      platform: "x",
      abi: "1",
    },
    load: {
      cpus: 1,
      cpuBusy: 0,
      memBytes: 8e9,
      memFreeBytes: 8e9,
      gpus: [],
      diskFreeBytes: 1e12,
      store: "rw",
      slots,
      queue: 0,
      loopDelayMs: 0,
      isAccepting: true,
    },
  };
}

async function peer(name: string, other: string): Promise<ReturnType<typeof createEngine>> {
  const rim = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const store = await openStore(join(home, name), rim);
  stores.set(name, store);
  const deps = { store, ...rim };
  const transport = network.transport(name as PeerId);
  const directory: PeerDirectory = {
    self: name as PeerId,
    peers: () => [view(name, name), view(other, name)],
    get: (id) => view(id, name),
    subscribe: () => () => undefined,
  };
  const hosts = createMeshHosts({
    ...deps,
    transport,
    directory,
    local: createHostPool({
      ...deps,
      slots: 1,
      home: join(home, name),
      locate: (ids) => store.locate(ids),
    }),
    exchange: {
      // What the other has is read there and stored here: the same content has the same id.
      bring: async (ids) => {
        for (const id of ids) {
          const data = await stores.get(other)?.read(id);
          if (data !== undefined) await store.putBytes(data, "messagepack");
        }
      },
      holders: async () => new Map(),
      spread: () => undefined,
    },
    name,
    capacity: { cores: 1, memBytes: 8e9, gpus: 0 },
    ballotOf: () => 1,
  });
  transport.keep(other as PeerId, []);
  await transport.start();
  closers.push(async () => {
    await hosts.close();
    await store.close();
  });
  return createEngine({ ...deps, hosts, peer: name, limits: hosts.limits });
}

function withCode(flow: FlowPackage, slices: Readonly<Record<string, string>>): FlowPackage {
  const steps = Object.entries(slices).map(([name, fn]): [string, ScriptCode] => [
    name,
    {
      kind: "script",
      codeId: name.padStart(64, "0") as CodeId,
      slice: `(scope, require) => ({ fn: ${fn} })`,
      isStateless: true,
      externals: [],
      resolveFrom: "/",
      at: "test.ts:1",
    },
  ]);
  return { ...flow, steps: Object.fromEntries(steps) };
}

test("real step hosts of another peer run a step: code, prints, large and small outputs are where they belong", async () => {
  const a = await peer("a", "b");
  await peer("b", "a");
  const flow = withCode(
    flowPackage({
      name: "real",
      steps: [
        { name: "big", inputs: { i: each(constant([1, 2, 3])) }, levels: ["big"] },
        { name: "size", inputs: { all: collect(out("big", "text")) } },
      ],
    }),
    {
      big: '({ i }) => { console.log("made " + i); return { text: String(i).repeat(300_000) }; }',
      size: "({ all }) => ({ n: all.reduce((sum, text) => sum + text.length, 0) })",
    },
  );
  const handle = await a.start(flow, { params: {}, user: "ada", labels: ["b"] });
  const result = await handle.finished;
  assert.equal(result.state, "succeeded", JSON.stringify(result.failures));
  const ownStore = stores.get("a");
  const workerStore = stores.get("b");
  assert.ok(ownStore !== undefined && workerStore !== undefined);
  const [size] = await taskOutputs(ownStore, handle.run, "size");
  assert.equal(size?.fact.by, "b");
  const n = size.fact.outputs["n"];
  assert.ok(n !== undefined);
  assert.equal(decodeValue(await ownStore.read(n.id)), 900_000, "what is small came along");
  const made = await taskOutputs(ownStore, handle.run, "big");
  const ids = made.flatMap(({ fact }) => Object.values(fact.outputs).map(({ id }) => id));
  assert.deepEqual(await workerStore.has(ids), [true, true, true]);
  assert.deepEqual(await ownStore.has(ids), [false, false, false], "what is large stayed there");
  assert.deepEqual(
    (await workerStore.getFacts(made.map(({ fact }) => fact.memoKey))).map((fact) => fact?.by),
    ["b", "b", "b"],
  );
  const log = logFileOf(workerStore.home, handle.run, "big");
  assert.ok(existsSync(log) && readFileSync(log, "utf8").includes("made 2"));
});
