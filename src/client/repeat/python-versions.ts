/** What a Python step was run with, so that whoever lacks its packages is told which versions to install. */
import { MfError } from "../../model/errors.ts";
import type { Records } from "../records.ts";
import { succeededTasks, type Origin } from "./origin.ts";

/** The same error with versions at the packages' names, where the origin's facts tell them. */
export async function withVersions(
  error: MfError,
  records: Records,
  { journal, flowPackage }: Pick<Origin, "journal" | "flowPackage">,
): Promise<MfError> {
  const { packages, ...details } = error.details;
  if (typeof packages !== "string") return error;
  const tasks = [...succeededTasks(journal).values()];
  const one = Object.entries(flowPackage.steps).flatMap(([step, { kind }]) => {
    const task = kind === "python" ? tasks.find((item) => item.step === step) : undefined;
    return task === undefined ? [] : [task];
  });
  const versions = new Map<string, string>();
  for (const fact of await records.facts(one))
    for (const [name, version] of environmentOf(fact?.env ?? "")) versions.set(name, version);
  const wanted = packages.split(" ").map((name) => {
    const version = versions.get(name.toLowerCase());
    return version === undefined ? name : `${name}==${version}`;
  });
  return new MfError(
    "PYTHON_PACKAGE_MISSING",
    { ...details, packages: wanted.join(" ") },
    { cause: error },
  );
}

/** `python@3.11.7 numpy@1.26.4`; a version that nobody knows is written `?`. */
function environmentOf(env: string): [string, string][] {
  return env.split(" ").flatMap((item): [string, string][] => {
    const at = item.lastIndexOf("@");
    const version = item.slice(at + 1);
    return at <= 0 || version === "?" ? [] : [[item.slice(0, at), version]];
  });
}
