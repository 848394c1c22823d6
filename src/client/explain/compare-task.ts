/**
 * Why a task is not the one that ran before: each part of its identity held against that of the earlier fact. What differs in an
 * input is followed to the task that made it, a few steps up.
 */
import type { StepCode } from "../../code/flow-package.ts";
import { stepNamed } from "../../graph/queries.ts";
import { diffCode, type CodeChange } from "./code-diff.ts";
import { compareInputs } from "./compare-input.ts";
import type { EnvironmentChange, Reason } from "./reasons.ts";
import type { Identity, TaskSide } from "./task-side.ts";

/** Makers above makers: beyond this the reason is too far away to help. */
const DEPTH_MAX = 4;

/** In how many ways two tasks differ; 0 where only the salt can. */
export function distance(a: Identity, b: Identity): number {
  const names = new Set([...Object.keys(a.inputs), ...Object.keys(b.inputs)]);
  const inputs = [...names].filter((name) => a.inputs[name] !== b.inputs[name]).length;
  return inputs + Number(a.code !== b.code) + Number(a.env !== b.env) + Number(a.seed !== b.seed);
}

/** Empty where both are the same task. */
export async function compareTasks(
  before: TaskSide,
  after: TaskSide,
  depth = 0,
): Promise<readonly Reason[]> {
  const [was, is] = [before.identity, after.identity];
  if (was.memoKey === is.memoKey) return [];
  const reasons: Reason[] = [];
  const environment = was.env === is.env ? [] : environmentChanges(was.env, is.env);
  const code = was.code === is.code ? undefined : await codeChanges(before, after);
  // A package outside the bundle is in the code and in the environment: told once, as environment.
  const changes = code?.filter(
    ({ what, name }) => what !== "package" || !environment.some((item) => item.name === name),
  );
  if (changes !== undefined && (changes.length > 0 || environment.length === 0))
    reasons.push({ k: "code", changes });
  if (environment.length > 0) reasons.push({ k: "environment", changes: environment });
  if (depth < DEPTH_MAX)
    reasons.push(...(await compareInputs(before, after, (a, b) => compareTasks(a, b, depth + 1))));
  if (was.seed !== is.seed)
    reasons.push({ k: "seed", before: before.view.seed, after: after.view.seed });
  if (distance(was, is) === 0) reasons.push(await saltReason(before, after));
  return reasons;
}

/** Empty where the code of one side is stored nowhere any more. */
async function codeChanges(before: TaskSide, after: TaskSide): Promise<readonly CodeChange[]> {
  const [was, is] = await Promise.all([codeOf(before), codeOf(after)]);
  return was === undefined || is === undefined ? [] : diffCode(was, is);
}

async function codeOf({ view, step, identity }: TaskSide): Promise<StepCode | undefined> {
  const code = (await view.flowPackage())?.steps[step];
  return code?.codeId === identity.code ? code : undefined;
}

async function saltReason(before: TaskSide, after: TaskSide): Promise<Reason> {
  const [was, is] = await Promise.all([saltOf(before), saltOf(after)]);
  return { k: "salt", before: was, after: is };
}

async function saltOf({ view, step }: TaskSide): Promise<string> {
  const graph = (await view.flowPackage())?.graph;
  const declaration = graph === undefined ? undefined : stepNamed(graph, step);
  return declaration?.options.cache.salt ?? "";
}

/** `python@3.11.2 numpy@1.26.4`, `sqlite@1.0.0+sha512-…`: name by name. */
export function environmentChanges(before: string, after: string): EnvironmentChange[] {
  const old = partsOf(before);
  const next = partsOf(after);
  return [...new Set([...old.keys(), ...next.keys()])].sort().flatMap((name) => {
    const [was, is] = [old.get(name), next.get(name)];
    if (was === is) return [];
    const [a, b] = [versionOf(was), versionOf(is)];
    const [shownA, shownB] = a === b ? [was, is] : [a, b];
    return [
      {
        name,
        ...(shownA === undefined ? {} : { before: shownA }),
        ...(shownB === undefined ? {} : { after: shownB }),
      },
    ];
  });
}

function partsOf(environment: string): Map<string, string> {
  return new Map(
    environment
      .split(" ")
      .filter((part) => part !== "")
      .map((part) => {
        const at = part.lastIndexOf("@", part.includes("+") ? part.indexOf("+") : part.length);
        return at <= 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
      }),
  );
}

/** Without the integrity. */
function versionOf(text: string | undefined): string | undefined {
  return text?.split("+sha")[0]?.replace(/\+$/, "");
}
