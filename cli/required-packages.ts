/** Whether this machine has the native packages of a stored flow. Where labels choose the peers, those have to have them. */
import { requirePackages } from "../src/code/needed-packages.ts";
import type { FlowPackage } from "../src/code/flow-package.ts";
import { MfError, isMfError } from "../src/model/errors.ts";

/** @throws MfError PACKAGES_MISSING */
export function requirePackagesHere(
  { isMesh }: { readonly isMesh: boolean },
  flowPackage: FlowPackage,
  { on = [] }: { readonly on?: readonly string[] },
): void {
  if (isMesh && on.length > 0) return;
  try {
    requirePackages(flowPackage);
  } catch (error) {
    if (!isMesh || !isMfError(error, "PACKAGES_MISSING")) throw error;
    const command = `${String(error.details["command"])}; or run it only on peers that have them: --on LABEL`;
    throw new MfError("PACKAGES_MISSING", { ...error.details, command });
  }
}
