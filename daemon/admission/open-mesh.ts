/**
 * What `mfd start` does about its mesh: goes on in the one that the home belongs to, joins one by a ticket, or makes a new one whose
 * first peer and issuer it is.
 */
import { MfError } from "../../src/model/errors.ts";
import { PEER_ROLES, type PeerId } from "../../src/model/peer.ts";
import type { JoinDialler } from "../../src/wire/admission.ts";
import { CERTIFICATE_BACKDATE_MS, CLOCK_SKEW_MS_MAX } from "./admission-limits.ts";
import {
  type Certificate,
  certificateFault,
  issueCertificate,
  readCertificate,
} from "./certificate.ts";
import { keyPairOf, SEED_BYTES } from "../../src/trust/ed25519.ts";
import { joinMesh } from "./join-mesh.ts";
import { MeshAdmission, type MeshAdmissionDeps } from "./mesh-admission.ts";
import { MeshFiles, type MeshSecrets } from "./mesh-files.ts";
import { momentText, spanText } from "./span-text.ts";
import { parseTicket, type Ticket } from "./ticket.ts";

export interface OpenMeshDeps extends Omit<MeshAdmissionDeps, "files"> {
  readonly dial: JoinDialler;
}

export interface OpenMeshOptions {
  readonly home: string;
  readonly name: string;
  /** A ticket's text. */
  readonly join?: string;
}

/** Call while holding the home's lock. @throws MfError TICKET_*, MESH_OTHER, PEER_REVOKED, CERTIFICATE_EXPIRED, CLOCK_SKEWED, FILE_DAMAGED, PEER_UNREACHABLE … */
export async function openMesh(
  deps: OpenMeshDeps,
  options: OpenMeshOptions,
): Promise<MeshAdmission> {
  const ticket = options.join === undefined ? undefined : parseTicket(options.join);
  const files = new MeshFiles(options.home, deps.logger);
  const secrets = files.secrets();
  if (secrets === undefined) {
    return ticket === undefined
      ? create(deps, options, files)
      : join(deps, { ...options, ticket }, files);
  }
  if (ticket !== undefined && ticket.mesh !== secrets.mesh) {
    throw new MfError("MESH_OTHER", {
      home: options.home,
      mesh: secrets.mesh.slice(0, 8),
      other: ticket.mesh.slice(0, 8),
    });
  }
  const certificate = ownCertificate(deps, files, secrets);
  const fault = certificate === undefined ? "" : certificateFault(certificate, deps.clock.now());
  if (certificate !== undefined && fault === undefined) {
    const admission = new MeshAdmission({ ...deps, files }, { secrets, certificate });
    // Nobody would talk to it, and it knows.
    if (admission.isRevoked) throw new MfError("PEER_REVOKED", { peer: admission.self });
    if (ticket !== undefined && ticket.issuer !== deps.identity.peerId) {
      admission.noteAddresses(ticket.issuer, ticket.addresses);
    }
    return admission;
  }
  if (secrets.issuer !== undefined) return certifyOneself(deps, { options, files, secrets });
  if (ticket !== undefined) return join(deps, { ...options, ticket }, files);
  throw whyInvalid(certificate, deps.clock.now());
}

/** The first peer of a new mesh: it makes the secret and the issuer's key. */
function create(deps: OpenMeshDeps, options: OpenMeshOptions, files: MeshFiles): MeshAdmission {
  const { random } = deps;
  const issuer = keyPairOf(new Uint8Array(random.bytes(SEED_BYTES)));
  const secrets: MeshSecrets = {
    mesh: Buffer.from(random.bytes(16)).toString("hex"),
    secret: new Uint8Array(random.bytes(32)),
    epoch: 0,
    issuerKey: issuer.publicKey,
    issuer,
  };
  files.saveSecrets(secrets);
  deps.logger.info("mesh-made", { mesh: secrets.mesh });
  return certifyOneself(deps, { options, files, secrets });
}

/** Also after a start that broke off between the secrets and the certificate. */
function certifyOneself(
  deps: OpenMeshDeps,
  parts: {
    readonly options: OpenMeshOptions;
    readonly files: MeshFiles;
    readonly secrets: MeshSecrets;
  },
): MeshAdmission {
  const { options, files, secrets } = parts;
  const { issuer, mesh } = secrets;
  if (issuer === undefined) throw new MfError("ADMIN_NEEDED", { what: "certify", peers: "none" });
  const { clock, random, identity } = deps;
  const request = { mesh, peer: identity.peerId, name: options.name, roles: PEER_ROLES };
  const certificate = issueCertificate(issuer, request, { now: clock.now(), random });
  files.saveCertificate(certificate.signed);
  return new MeshAdmission({ ...deps, files }, { secrets, certificate });
}

async function join(
  deps: OpenMeshDeps,
  options: OpenMeshOptions & { readonly ticket: Ticket },
  files: MeshFiles,
): Promise<MeshAdmission> {
  const { ticket } = options;
  const { grant, certificate } = await joinMesh(deps, ticket, options.name);
  const { mesh, secret, epoch, issuerKey, issuerSeed } = grant;
  const issuer = issuerSeed === undefined ? undefined : keyPairOf(issuerSeed);
  const secrets = { mesh, secret, epoch, issuerKey, ...(issuer === undefined ? {} : { issuer }) };
  // The certificate first: with the secrets on disk this home counts as a member's.
  files.saveCertificate(certificate.signed);
  files.saveRevocations(grant.revocations);
  files.saveSecrets(secrets);
  const admission = new MeshAdmission({ ...deps, files }, { secrets, certificate });
  admission.noteAddresses(ticket.issuer, ticket.addresses);
  for (const { peer, addresses } of grant.members) {
    if (peer !== deps.identity.peerId) admission.noteAddresses(peer as PeerId, addresses);
  }
  // A crash from here on must find the peers to connect to.
  admission.saveMembers();
  deps.logger.info("mesh-joined", { mesh, roles: certificate.roles, by: ticket.issuer });
  return admission;
}

/** @throws MfError FILE_DAMAGED */
function ownCertificate(
  deps: OpenMeshDeps,
  files: MeshFiles,
  secrets: MeshSecrets,
): Certificate | undefined {
  const signed = files.certificate();
  if (signed === undefined) return undefined;
  const certificate = readCertificate(signed, secrets.issuerKey, secrets.mesh);
  if (certificate?.peer === deps.identity.peerId) return certificate;
  throw files.damaged("certificate.json", "it is not this peer's certificate of this mesh");
}

function whyInvalid(certificate: Certificate | undefined, now: number): MfError {
  if (certificate === undefined) return new MfError("CERTIFICATE_EXPIRED", { when: "or is lost" });
  const { notBefore, notAfter } = certificate.body;
  if (now < notBefore - CLOCK_SKEW_MS_MAX) {
    const issuedAt = notBefore + CERTIFICATE_BACKDATE_MS;
    return new MfError("CLOCK_SKEWED", {
      difference: `at least ${spanText(issuedAt - now)}`,
      peer: "the issuer of this peer's certificate",
      theirs: momentText(issuedAt),
      ours: momentText(now),
    });
  }
  const when = `${spanText(now - notAfter)} ago, if this machine's clock is right (${momentText(now)})`;
  return new MfError("CERTIFICATE_EXPIRED", { when });
}
