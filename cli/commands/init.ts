/** `mf init`: a first flow in a directory. Never overwrites a file. JSON: {"directory","files"}. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MfError } from "../../src/model/errors.ts";
import { writeJson, type CommandContext, type CommonOptions } from "../command-context.ts";

export interface InitOptions extends CommonOptions {
  readonly template: "hello" | "python";
}

const HELLO = `import { each, collect, flow, p } from "meshflow";

const hello = flow("hello", { name: p.string("world") });
const split = hello.step("split", hello.params, ({ name }) => ({ letters: [...name] }));
const shout = hello.step("shout", { letter: each(split.letters) }, ({ letter }) => ({ loud: letter.toUpperCase() }));
hello.step("greet", { all: collect(shout.loud) }, ({ all }) => ({ text: \`Hello, \${all.join("")}!\` }));

export default hello;
`;

const PYTHON_FLOW = `import { flow } from "meshflow";

const statistics = flow("statistics");
const draw = statistics.step("draw", {}, (_inputs, ctx) => ({ xs: Float64Array.from({ length: 100 }, () => ctx.random()) }));
statistics.python("describe", { xs: draw.xs }, { file: "describe.py", fn: "describe" });

export default statistics;
`;

const PYTHON_FILE = `import statistics


def describe(xs):
    values = [float(x) for x in xs]
    return {"mean": statistics.fmean(values), "stdev": statistics.stdev(values)}
`;

export async function initCommand(
  context: CommandContext,
  directory: string,
  options: InitOptions,
): Promise<number> {
  const files: Readonly<Record<string, string>> =
    options.template === "hello"
      ? { "hello.ts": HELLO }
      : { "statistics.ts": PYTHON_FLOW, "describe.py": PYTHON_FILE };
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeNew(join(directory, name), text);
  const names = Object.keys(files);
  if (options.json === true) writeJson(context, { directory, files: names });
  else
    context.terminal.out(
      `${names.map((name) => `wrote ${join(directory, name)}\n`).join("")}next: mf run ${join(directory, names[0] ?? "")}\n`,
    );
  return 0;
}

async function writeNew(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
    throw new MfError("USAGE", {
      message: `${file} is already there; nothing was overwritten.`,
      command: "init",
    });
  });
}
