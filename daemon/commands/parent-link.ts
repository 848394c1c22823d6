/**
 * What `mfd start` and the daemon that it starts say to each other while it starts. What was typed goes over this link and not over the
 * command line: a ticket there could be read by everybody on the machine for as long as the daemon runs.
 */
import process from "node:process";
import type { DaemonStatus } from "../../src/client/control/daemon-side.ts";
import { type ErrorRecord, MfError } from "../../src/model/errors.ts";
import type { DaemonInput } from "../config/daemon-options.ts";

export type StartReport =
  | { readonly t: "ready"; readonly status: DaemonStatus }
  | { readonly t: "failed"; readonly error: ErrorRecord };

/** @throws MfError USAGE where no parent is there to say anything */
export function inputFromParent(): Promise<DaemonInput> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) {
      const message = "--from-parent is for mfd itself.";
      return reject(new MfError("USAGE", { message, command: "start" }));
    }
    const gone = (): void => reject(new MfError("INTERRUPTED"));
    process.once("disconnect", gone);
    process.once("message", (input) => {
      process.off("disconnect", gone);
      resolve(input as DaemonInput);
    });
  });
}

/** The last word on the link: from then on the daemon stands alone. */
export function tellParent(report: StartReport): void {
  if (process.send === undefined || !process.connected) return;
  process.send(report, () => {
    if (process.connected) process.disconnect();
  });
}
