/**
 * Who signers are to a home whose daemon does not run: by the certificates and revocations that lie in it, checked as the daemon does
 * and left as they are.
 */
import { readCertificate, readRevocation } from "../daemon/admission/certificate.ts";
import { hasMesh, MeshFiles } from "../daemon/admission/mesh-files.ts";
import type { SignerStanding } from "../src/client/control/read-side.ts";
import type { PeerId } from "../src/model/peer.ts";
import { identityPeer } from "../src/trust/identity-key.ts";
import type { CommandContext } from "./command-context.ts";

/** Undefined where the home belongs to no mesh. @throws MfError FILE_DAMAGED, FILE_EXPOSED */
export function homeSigners({
  home,
  logger,
}: Pick<CommandContext, "home" | "logger">):
  | ((peers: readonly PeerId[]) => Promise<readonly SignerStanding[]>)
  | undefined {
  if (!hasMesh(home)) return undefined;
  const files = new MeshFiles(home, logger, { isReadOnly: true });
  const secrets = files.secrets();
  if (secrets === undefined) return undefined;
  const { issuerKey, mesh } = secrets;
  const names = new Map<PeerId, string>();
  const own = files.certificate();
  const certificates = files.members().map(({ certificate }) => certificate);
  for (const signed of [...certificates, own]) {
    const known = signed === undefined ? undefined : readCertificate(signed, issuerKey, mesh);
    if (known !== undefined) names.set(known.peer, known.body.name);
  }
  const revoked = new Set(
    files.revocations().map((signed) => readRevocation(signed, issuerKey, mesh)?.peer),
  );
  const self = identityPeer(home);
  return async (peers) =>
    peers.map((peer) => {
      const name = names.get(peer);
      const named = { peer, ...(name === undefined ? {} : { name }) };
      if (revoked.has(peer)) return { ...named, standing: "revoked" };
      if (peer === self) return { ...named, standing: "self" };
      return { ...named, standing: name === undefined ? "unknown" : "member" };
    });
}
