/**
 * Packages with native code stay outside a flow's package: where a stored flow runs, they must be installed, in the versions that its
 * identity names: another version would make facts that claim to be made by this one. Looked at before a stored flow runs, so that
 * what to install is said at once, and by each attempt, because other peers have packages of their own.
 */
import { hostname } from "node:os";
import { MfError } from "../model/errors.ts";
import type { ExternalPackage, FlowPackage, StepCode } from "./flow-package.ts";
import { findPackage } from "./native-package.ts";

export type InstalledVersion = (name: string, directory: string) => string | undefined;

const installedVersion: InstalledVersion = (name, directory) =>
  findPackage(name, directory)?.version;

/** @throws MfError PACKAGES_MISSING: the first step that lacks any, with all that it lacks */
export function requirePackages(
  { steps }: Pick<FlowPackage, "steps">,
  versionOf: InstalledVersion = installedVersion,
): void {
  for (const [step, code] of Object.entries(steps)) {
    const script = scriptOf(code);
    if (script === undefined) continue;
    const { resolveFrom: directory, externals } = script;
    const missing = externals.flatMap((item) => {
      const found = versionOf(item.name, directory);
      return found === item.version ? [] : [{ item, found }];
    });
    if (missing.length === 0) continue;
    const packages = missing.map(({ item }) => specifierOf(item)).join(" ");
    throw new MfError("PACKAGES_MISSING", {
      step,
      packages,
      directory,
      machine: hostname(),
      found: missing.map(({ item, found }) => foundText(item, found)).join(", "),
      command: `mkdir -p ${directory} && npm install --prefix ${directory} ${packages}`,
    });
  }
}

function scriptOf(code: StepCode): Exclude<StepCode, { kind: "python" }> | undefined {
  return code.kind === "python" ? code.beside : code;
}

function specifierOf({ name, version }: ExternalPackage): string {
  return version === "" ? name : `${name}@${version}`;
}

function foundText({ name }: ExternalPackage, found: string | undefined): string {
  return found === undefined ? `no ${name}` : `${name}@${found}`;
}
