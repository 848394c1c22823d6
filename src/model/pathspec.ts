/**
 * How things that runs made are named: `flow/run/step[i,j]/artifact.path`, or `c:id` for content. Parsing is strict, so that
 * a typo is an error and not another thing. `flow/run/step[i].artifact` is read too (as in from('flow/latest/step.artifact')).
 */
import { MfError } from "./errors.ts";
import { readRunAddress } from "./run-address.ts";

export type Pathspec =
  | { readonly k: "content"; readonly id: string }
  | {
      readonly k: "flow";
      readonly flow: string;
      /** A run id, a unique beginning of one, `latest`, `@tag` or a time: see run-address.ts. */
      readonly run?: string;
      readonly step?: string;
      /** Undefined: every task of the step. */
      readonly index?: readonly number[];
      readonly artifact?: string;
      /** Leads to a property inside the artifact. */
      readonly path?: readonly string[];
    };

const FLOW = /^[A-Za-z_][\w-]*$/;
const STEP = /^([A-Za-z_][\w-]*)(?:\[(\d+(?:,\d+)*)\])?$/;
const NAME = /^[^\s./[\]]+$/;
const CONTENT = /^c:(b[a-z2-7]{3,})$/;

/** @throws MfError PATHSPEC_INVALID */
export function parsePathspec(text: string): Pathspec {
  const content = CONTENT.exec(text);
  if (content !== null) return { k: "content", id: content[1] ?? "" };
  if (text.startsWith("c:"))
    throw invalid(text, "after c: comes the beginning of an id (b, then letters and 2 to 7)");
  const parts = text.split("/");
  if (parts.length > 4) throw invalid(text, "it has more than four parts");
  const [flow = "", run, stepText, artifactText] = parts;
  if (!FLOW.test(flow))
    throw invalid(text, flow === "" ? "the flow is missing" : `"${flow}" is not a flow's name`);
  if (run === undefined) return { k: "flow", flow };
  const address = readRunAddress(run);
  if (typeof address === "string") throw invalid(text, address);
  if (stepText === undefined) return { k: "flow", flow, run };
  return { k: "flow", flow, run, ...parseTask(text, stepText, artifactText) };
}

type TaskPart = Pick<Extract<Pathspec, { k: "flow" }>, "step" | "index" | "artifact" | "path">;

function parseTask(text: string, stepText: string, artifactText: string | undefined): TaskPart {
  const dot = artifactText === undefined ? stepText.indexOf(".") : -1;
  const step = STEP.exec(dot < 0 ? stepText : stepText.slice(0, dot));
  if (step === null) {
    throw invalid(
      text,
      `"${stepText}" is not a step (with an index in brackets where it is in a foreach)`,
    );
  }
  const index = step[2] === undefined ? {} : { index: parseIndex(text, step[2]) };
  const base = { step: step[1] ?? "", ...index };
  const names = dot < 0 ? artifactText : stepText.slice(dot + 1);
  if (names === undefined) return base;
  const [artifact = "", ...path] = names.split(".");
  for (const name of [artifact, ...path]) {
    if (!NAME.test(name)) throw invalid(text, `"${names}" is not an artifact's name`);
  }
  return path.length === 0 ? { ...base, artifact } : { ...base, artifact, path };
}

export function formatPathspec(spec: Pathspec): string {
  if (spec.k === "content") return `c:${spec.id}`;
  const step =
    spec.step === undefined
      ? undefined
      : spec.step + (spec.index === undefined ? "" : `[${spec.index.join(",")}]`);
  const artifact =
    spec.artifact === undefined ? undefined : [spec.artifact, ...(spec.path ?? [])].join(".");
  return [spec.flow, spec.run, step, artifact].filter((part) => part !== undefined).join("/");
}

function parseIndex(text: string, numbers: string): number[] {
  return numbers.split(",").map((number) => {
    const value = Number(number);
    if (!Number.isSafeInteger(value) || String(value) !== number)
      throw invalid(text, `${number} is not an index`);
    return value;
  });
}

function invalid(text: string, reason: string): MfError {
  return new MfError("PATHSPEC_INVALID", { text, reason });
}
