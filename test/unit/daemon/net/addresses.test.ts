import assert from "node:assert/strict";
import { test } from "node:test";
import { dialFailure } from "../../../../daemon/net/dial-failure.ts";
import {
  dialAddresses,
  listenAddress,
  observedAddress,
  worthDialling,
} from "../../../../daemon/net/peer-address.ts";
import { isMfError } from "../../../../src/model/errors.ts";
import { testIdentity } from "../../../support/libp2p-peers.ts";

const { peerId } = testIdentity(3);

test("listen addresses are host:port or multiaddrs", () => {
  assert.equal(listenAddress("127.0.0.1:4077"), "/ip4/127.0.0.1/tcp/4077");
  assert.equal(listenAddress("[::1]:0"), "/ip6/::1/tcp/0");
  assert.equal(listenAddress("localhost:1"), "/ip4/127.0.0.1/tcp/1");
  assert.equal(listenAddress("/ip4/0.0.0.0/tcp/4077"), "/ip4/0.0.0.0/tcp/4077");
  for (const text of ["", "4077", "example.org:1", "127.0.0.1:99999", "/ip9/x", "::1:5"])
    assert.throws(
      () => listenAddress(text),
      (error) => isMfError(error, "LISTEN_FAILED"),
      text,
    );
});

test("of what others say is an address, only TCP to that very peer is dialled", () => {
  const other = testIdentity(4).peerId;
  const texts = [
    "/ip4/10.0.0.7/tcp/4077",
    `/ip4/10.0.0.7/tcp/4078/p2p/${peerId}`,
    `/ip4/10.0.0.7/tcp/4077/p2p/${other}`,
    "/ip4/10.0.0.7/udp/4077",
    "/unix/%2Ftmp%2Fsocket",
    `/ip4/10.0.0.7/tcp/4077/p2p/${other}/p2p-circuit/p2p/${peerId}`,
    "not an address",
    `/dns4/${"x".repeat(500)}/tcp/1`,
  ];
  assert.deepEqual(
    dialAddresses(peerId, texts).map((one) => one.toString()),
    [`/ip4/10.0.0.7/tcp/4077/p2p/${peerId}`, `/ip4/10.0.0.7/tcp/4078/p2p/${peerId}`],
  );
});

test("loopback is dialled first on the peer's own machine and not at all from another", () => {
  const all = dialAddresses(peerId, ["/ip4/10.0.0.7/tcp/1", "/ip4/127.0.0.1/tcp/1"]);
  const hosts = (own: string[]): unknown[] =>
    worthDialling(all, new Set(own)).map((one) => one.getComponents()[0]?.value);
  assert.deepEqual(hosts(["10.0.0.7"]), ["127.0.0.1", "10.0.0.7"]);
  assert.deepEqual(hosts(["10.0.0.8"]), ["10.0.0.7"]);
});

test("where a connection came from, with the port that its peer announced, is worth a try", () => {
  const seen = observedAddress("/ip4/192.168.1.5/tcp/51234", ["/ip4/172.17.0.2/tcp/4077"]);
  assert.deepEqual(seen, ["/ip4/192.168.1.5/tcp/4077"]);
  assert.deepEqual(observedAddress("/ip4/192.168.1.5/tcp/51234", []), []);
  assert.deepEqual(observedAddress("/ip4/192.168.1.5/tcp/51234", ["nonsense"]), []);
});

test("refused is said only where every address refused", () => {
  const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
  const noRoute = Object.assign(new Error("connect"), { code: "EHOSTUNREACH" });
  const late = Object.assign(new Error("late"), { name: "TimeoutError" });
  const secret = Object.assign(new Error("Invalid chacha20poly1305 decryption"), {
    name: "EncryptionFailedError",
  });
  assert.equal(dialFailure(refused), "refused");
  assert.equal(dialFailure(new AggregateError([refused, refused])), "refused");
  assert.equal(dialFailure(new AggregateError([new AggregateError([refused]), late])), "timeout");
  assert.equal(dialFailure(new Error("outer", { cause: refused })), "refused");
  assert.equal(dialFailure(new AggregateError([noRoute, refused])), "unreachable");
  assert.equal(dialFailure(secret), "denied");
  assert.equal(dialFailure(new Error("whatever")), "other");
  assert.equal(dialFailure(new AggregateError([])), "other");
  assert.equal(dialFailure("text"), "other");
});
