/** `mf doctor`: what Meshflow needs, looked at one by one. JSON: {"ok","checks":[{"name","ok","text"}]}. Exit 1 if something needed is missing. */
import { execFile } from "node:child_process";
import { mkdir, statfs } from "node:fs/promises";
import { promisify } from "node:util";
import { asMfError } from "../render-error.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";
import { withReadSide } from "../compose.ts";
import { bytesText, countText } from "../output/format.ts";
import { createPaint } from "../output/paint.ts";

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly text: string;
  /** Its absence does not make doctor fail. */
  readonly isOptional?: boolean;
}

const DISK_FREE_BYTES_MIN = 1024 ** 3;

export async function doctorCommand(
  context: CommandContext,
  options: CommonOptions,
): Promise<number> {
  const checks = [
    checkRuntime(),
    await checkPython(),
    await checkStore(context),
    await checkDisk(context),
  ];
  const ok = checks.every((check) => check.ok || check.isOptional === true);
  if (options.json === true)
    writeJson(context, {
      ok,
      checks: checks.map(({ name, ok: isOk, text }) => ({ name, ok: isOk, text })),
    });
  else {
    const paint = createPaint(context.terminal.colourOut);
    for (const check of checks)
      context.terminal.out(
        `${check.ok ? paint.green("ok  ") : paint.red("fail")} ${check.name}: ${check.text}\n`,
      );
  }
  return ok ? 0 : 1;
}

function checkRuntime(): Check {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const ok = major > 20 || (major === 20 && minor >= 19);
  return {
    name: "Node.js",
    ok,
    text: `${process.version}${ok ? "" : "; 20.19 or newer is needed"}`,
  };
}

async function checkPython(): Promise<Check> {
  const given = process.env["MF_PYTHON"];
  const tried = given === undefined ? ["python3", "python"] : [given];
  for (const program of tried) {
    try {
      const { stdout, stderr } = await promisify(execFile)(program, ["--version"], {
        timeout: 10_000,
      });
      return { name: "Python", ok: true, text: `${(stdout || stderr).trim()} (${program})` };
    } catch {
      continue;
    }
  }
  return {
    name: "Python",
    ok: false,
    isOptional: true,
    text: `none of ${tried.join(", ")}; only Python steps need it`,
  };
}

async function checkStore(context: CommandContext): Promise<Check> {
  try {
    const runs = await withReadSide(context, (readSide) => readSide.runs());
    return { name: "store", ok: true, text: `${context.home}, ${countText(runs.length, "run")}` };
  } catch (error) {
    const { message, remedy } = asMfError(error);
    return { name: "store", ok: false, text: `${message} ${remedy}` };
  }
}

async function checkDisk(context: CommandContext): Promise<Check> {
  try {
    await mkdir(context.home, { recursive: true });
    const { bavail, bsize } = await statfs(context.home);
    const free = bavail * bsize;
    return { name: "disk", ok: free >= DISK_FREE_BYTES_MIN, text: `${bytesText(free)} free` };
  } catch (error) {
    return {
      name: "disk",
      ok: false,
      text: error instanceof Error ? error.message : String(error),
    };
  }
}
