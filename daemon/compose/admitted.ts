/** Who this daemon is and which mesh it belongs to: its key, its certificate, joining where it was given a ticket. */
import type { PeerIdentity } from "../../src/wire/admission.ts";
import { openIdentity } from "../admission/identity.ts";
import type { MeshAdmission } from "../admission/mesh-admission.ts";
import { openMesh } from "../admission/open-mesh.ts";
import type { DaemonBase } from "./daemon-base.ts";
import { createJoinDialler } from "../net/join-dialler.ts";

export interface Admitted {
  readonly identity: PeerIdentity;
  /** How often this identity has started: its incarnations grow with it. */
  readonly boot: number;
  readonly admission: MeshAdmission;
}

/** @throws MfError TICKET_*, MESH_OTHER, CERTIFICATE_EXPIRED, CLOCK_SKEWED, PEER_UNREACHABLE */
export async function openAdmission({ options, env, closing }: DaemonBase): Promise<Admitted> {
  const { home, name, join } = options;
  const { identity, boot } = openIdentity(home, env.random);
  const dialler = createJoinDialler({ identity, clock: env.clock, logger: env.logger });
  try {
    const admission = await openMesh(
      { ...env, identity, dial: dialler },
      { home, name, ...(join === undefined ? {} : { join }) },
    );
    closing.add("admission", () => admission.stop());
    return { identity, boot, admission };
  } finally {
    await dialler.close();
  }
}
