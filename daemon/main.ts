#!/usr/bin/env node
/** `mfd`: the daemon's program. One machine needs no daemon; the mesh comes with the next version, and every command says so. */
import process from "node:process";
import { packageVersion } from "../cli/package-root.ts";
import { errorJson, errorText } from "../cli/render-error.ts";
import { MfError } from "../src/model/errors.ts";

const HELP = `Usage: mfd [options]

The Meshflow daemon. This version runs flows on one machine and needs no daemon: use \`mf run\`.

Options:
  -V, --version  print the version
  -h, --help     print this
`;

const [first = "--help"] = process.argv.slice(2);
if (first === "--help" || first === "-h") process.stdout.write(HELP);
else if (first === "--version" || first === "-V") process.stdout.write(`${packageVersion()}\n`);
else {
  const error = new MfError("NOT_AVAILABLE", {
    what: `\`mfd ${first}\``,
    hint: "Use `mf run`: it needs no daemon.",
  });
  process.stderr.write(
    process.argv.includes("--json") ? errorJson(error) : errorText(error, false),
  );
  process.exitCode = error.exitCode;
}
