/** What mf says to somebody who typed something else than it takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeDaemon, peerRow, serveFakeDaemon } from "../../support/fake-daemon.ts";
import { MfPlace, type MfOutcome } from "../../support/mf-process.ts";

async function mf(...argv: string[]): Promise<MfOutcome> {
  const files = new MfPlace();
  try {
    return await files.mf(argv);
  } finally {
    files.dispose();
  }
}

test("an unknown command, option or a missing argument is told once", async () => {
  for (const [argv, told] of [
    [["frob"], "error USAGE: Unknown command 'frob'.\n  See `mf --help`.\n"],
    [["submit"], "error USAGE: Missing required argument 'file'.\n  See `mf submit --help`.\n"],
    [["peers", "--bad"], "error USAGE: Unknown option '--bad'.\n  See `mf peers --help`.\n"],
  ] as const) {
    const { code, out, err } = await mf(...argv);
    assert.deepEqual([code, out, err], [2, "", told]);
  }
});

test("what is wrong with parameters names the command that was typed", async () => {
  for (const command of ["run", "submit"]) {
    const file = await mf(command, "f.ts", "-P", "nowhere.json");
    assert.match(file.err, new RegExp(`no such file\\.\\n  See \`mf ${command} --help\``));
    const param = await mf(command, "f.ts", "-p", "n");
    assert.match(param.err, new RegExp(`not "n"\\.\\n  See \`mf ${command} --help\``));
  }
});

test("help tells defaults that mean something only", async () => {
  const { out } = await mf("submit", "--help");
  assert.doesNotMatch(out, /default: \[\]/);
});

test("peers of one name are told apart by nothing else, so it is said", async () => {
  const rows = [peerRow("ada", { self: true }), peerRow("ada"), peerRow("bob")];
  const daemon = await serveFakeDaemon(fakeDaemon({ peers: async () => rows }));
  const files = new MfPlace();
  try {
    const { err } = await files.mf(["peers"], { MF_HOME: daemon.home });
    assert.match(err, /^warning: several peers are called ada; /);
    assert.equal((await files.mf(["peers", "--json"], { MF_HOME: daemon.home })).err, "");
  } finally {
    files.dispose();
    await daemon.close();
  }
});
