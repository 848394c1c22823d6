import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  advertisedAddresses,
  type Interfaces,
} from "../../../../daemon/config/advertised-addresses.ts";
import {
  type DaemonInput,
  type DaemonOptions,
  resolveDaemonOptions,
} from "../../../../daemon/config/daemon-options.ts";
import { type HostFacts, hostFacts } from "../../../../daemon/config/host-facts.ts";
import {
  listenedOn,
  portOf,
  readRemembered,
  type Remembered,
  writeRemembered,
} from "../../../../daemon/config/remembered.ts";
import { isMfError } from "../../../../src/model/errors.ts";

const GB = 1024 ** 3;
const facts: HostFacts = {
  hostName: "lab-7.example",
  cpus: 8,
  memBytes: 16 * GB,
  diskBytes: 500 * GB,
};

function resolve(input: DaemonInput, remembered: Remembered = {}): DaemonOptions {
  return resolveDaemonOptions(input, { home: "/h", facts, remembered });
}

test("nothing given: the host's name, any port on every interface, all roles", () => {
  assert.deepEqual(resolve({}), {
    home: "/h",
    name: "lab-7",
    listen: ["0.0.0.0:0"],
    labels: {},
    roles: ["submit", "store", "work", "admin"],
  });
});

test("everything given is read into numbers", () => {
  const given = resolve({
    name: "büro_2",
    listen: [":4001", "[::1]:0", "10.0.0.1"],
    cpus: "50%",
    mem: "4GB",
    label: ["fast", "disk=ssd"],
    storeMax: "10%",
    join: "mft1x",
    roles: "work, store",
  });
  assert.deepEqual(given, {
    home: "/h",
    name: "büro_2",
    listen: ["0.0.0.0:4001", "[::1]:0", "10.0.0.1:0"],
    cpus: 4,
    memBytes: 4 * GB,
    labels: { fast: "", disk: "ssd" },
    storeBytesMax: 50 * GB,
    join: "mft1x",
    roles: ["work", "store"],
  });
});

test("sizes in every unit", () => {
  for (const [text, bytes] of [
    ["512MB", GB / 2],
    ["1.5GB", 1.5 * GB],
    ["2GiB", 2 * GB],
    ["100%", 16 * GB],
    ["1073741824B", GB],
  ] as const) {
    assert.equal(resolve({ mem: text }).memBytes, bytes, text);
  }
});

test("what cannot be meant is a usage error that names the option and the value", () => {
  const wrong: [DaemonInput, RegExp][] = [
    [{ name: "" }, /--name/],
    [{ name: "a b" }, /"a b"/],
    [{ name: "-x" }, /--name/],
    [{ name: "x".repeat(65) }, /64/],
    [{ name: "a\u001B[31m" }, /--name/],
    [{ listen: [""] }, /--listen/],
    [{ listen: ["host:1"] }, /"host:1"/],
    [{ listen: ["1.2.3:4"] }, /--listen/],
    [{ listen: ["1.2.3.999:4"] }, /--listen/],
    [{ listen: ["0.0.0.0:70000"] }, /--listen/],
    [{ listen: Array.from({ length: 9 }, () => ":1") }, /at most 8/],
    [{ cpus: "0" }, /--cpus/],
    [{ cpus: "many" }, /"many"/],
    [{ cpus: "9" }, /has 8, not 9/],
    [{ cpus: "200%" }, /--cpus/],
    [{ mem: "4" }, /write 4GB/],
    [{ mem: "1KB" }, /less than 64MB/],
    [{ mem: "64GB" }, /has 16.0GB/],
    [{ mem: "0%" }, /--mem/],
    [{ storeMax: "-1GB" }, /--store-max/],
    [{ storeMax: "9TB" }, /disk has/],
    [{ label: ["a=", "b"] }, /--label/],
    [{ label: ["=x"] }, /--label/],
    [{ label: ["a b"] }, /--label/],
    [{ label: ["a=1", "a=2"] }, /twice/],
    [{ roles: "work,boss" }, /"boss" is no role/],
  ];
  for (const [input, message] of wrong) {
    assert.throws(
      () => resolve(input),
      (error) => isMfError(error, "USAGE") && message.test(error.message),
      JSON.stringify(input),
    );
  }
});

test("a remembered port comes with a way out, a named one does not", () => {
  const remembered = { name: "old", port: 4242 };
  const { name, listen, listenFallback } = resolve({}, remembered);
  assert.deepEqual([name, listen, listenFallback], ["old", ["0.0.0.0:4242"], ["0.0.0.0:0"]]);
  assert.equal(resolve({ listen: [":1"] }, remembered).listenFallback, undefined);
  const any = resolve({ listen: ["127.0.0.1:0", "[::1]:0"] }, remembered);
  assert.deepEqual(any.listen, ["127.0.0.1:4242", "[::1]:0"]);
  assert.deepEqual(any.listenFallback, ["127.0.0.1:0", "[::1]:0"]);
});

test("host names that are no names become one", () => {
  for (const [hostName, name] of [
    ["", "peer"],
    ["...", "peer"],
    ["my host!", "my-host-"],
    ["--x", "x"],
  ] as const) {
    const sources = { home: "/h", facts: { ...facts, hostName }, remembered: {} };
    assert.equal(resolveDaemonOptions({}, sources).name, name);
  }
});

test("a daemon that was told where to listen listens there again, and nowhere else", () => {
  const remembered = { port: 4242, listen: ["127.0.0.1:4242", "[::1]:4243"] };
  const { listen, listenFallback } = resolve({}, remembered);
  assert.deepEqual(listen, ["127.0.0.1:4242", "[::1]:4243"]);
  assert.deepEqual(listenFallback, ["127.0.0.1:0", "[::1]:0"]);
  const told = resolve({ listen: [":0"] }, remembered);
  assert.deepEqual([told.listen, told.listenFallback], [["0.0.0.0:4242"], ["0.0.0.0:0"]]);
});

test("what was listened on is kept with the ports that were got", () => {
  const listening = [
    "/ip4/127.0.0.1/tcp/4001/p2p/12D3",
    "/ip4/10.0.0.7/tcp/4002/p2p/12D3",
    "/ip6/::1/tcp/4003/p2p/12D3",
  ];
  const asked = ["127.0.0.1:0", "10.0.0.7:4002", "[::1]:9"];
  assert.deepEqual(listenedOn(asked, listening), ["127.0.0.1:4001", "10.0.0.7:4002", "[::1]:4003"]);
  assert.deepEqual(listenedOn(["0.0.0.0:4002"], listening), ["0.0.0.0:4002"]);
  assert.deepEqual(listenedOn(["0.0.0.0:0", "192.0.2.1:5"], listening), [
    "0.0.0.0:4001",
    "192.0.2.1:0",
  ]);
});

test("what is remembered survives, privately; a damaged file is as good as none", (t) => {
  const home = mkdtempSync(join(tmpdir(), "mf-config-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const file = join(home, "daemon.json");
  assert.deepEqual(readRemembered(home), {});
  writeRemembered(home, { name: "anna", port: 4001 });
  assert.deepEqual(readRemembered(home), { name: "anna", port: 4001 });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeRemembered(home, { port: 4001, listen: ["[::1]:4001"] });
  assert.deepEqual(readRemembered(home), { port: 4001, listen: ["[::1]:4001"] });
  for (const text of [
    "",
    '{"listen":["x"]}',
    '{"listen":[]}',
    "null",
    "[]",
    '{"name":"a b","port":"1"}',
    '{"port":-1}',
  ]) {
    writeFileSync(file, text);
    assert.deepEqual(readRemembered(home), {});
  }
  assert.deepEqual(readRemembered(file), {}, "a home that is a file");
  assert.equal(portOf(["/ip4/10.0.0.1/udp/3", "/ip4/10.0.0.1/tcp/4001/p2p/12D3"]), 4001);
  assert.equal(portOf(["/ip4/10.0.0.1/tcp/0"]), undefined);
});

test("others are told every outer interface, and loopback only where there is nothing else", () => {
  const info = (address: string, family: "IPv4" | "IPv6", internal = false) =>
    ({ address, family, internal, netmask: "", mac: "", cidr: null, scopeid: 0 }) as const;
  const interfaces: Interfaces = {
    lo: [info("127.0.0.1", "IPv4", true), info("::1", "IPv6", true)],
    eth0: [info("10.0.0.5", "IPv4"), info("fe80::1", "IPv6"), info("fd00::5", "IPv6")],
  };
  assert.deepEqual(advertisedAddresses(["/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/2"], interfaces), [
    "/ip4/10.0.0.5/tcp/1",
    "/ip6/fd00::5/tcp/2",
  ]);
  assert.deepEqual(advertisedAddresses(["/ip4/127.0.0.1/tcp/1"], interfaces), [
    "/ip4/127.0.0.1/tcp/1",
  ]);
  const lonely = advertisedAddresses(["/ip4/0.0.0.0/tcp/1"], { lo: interfaces["lo"] ?? [] });
  assert.deepEqual(lonely, ["/ip4/127.0.0.1/tcp/1"]);
});

test("the machine's facts are there before its home is", () => {
  const { cpus, memBytes, diskBytes } = hostFacts(join(tmpdir(), "mf-none", "deep", "home"));
  assert.ok(cpus >= 1);
  assert.ok(memBytes > 0);
  assert.ok(diskBytes > 0);
});
