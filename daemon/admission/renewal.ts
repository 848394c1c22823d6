/** A new certificate before the old one ends: signed here where this peer may, else asked of any connected peer with the role admin. */
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { renewRequest, type Signed } from "../../src/wire/admission-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { RENEW_TIMEOUT_MS } from "./admission-limits.ts";
import {
  type Certificate,
  certificateFault,
  isRenewalDue,
  issueCertificate,
} from "./certificate.ts";
import type { KeyPair } from "../../src/trust/ed25519.ts";
import type { Member } from "./member-book.ts";

export interface RenewalEnv {
  readonly now: () => number;
  readonly random: Random;
  readonly logger: Logger;
  readonly transport: Pick<Transport, "request" | "isConnected"> | undefined;
  readonly issuer: KeyPair | undefined;
  /** Members that may sign. */
  readonly issuers: readonly Member[];
  /** Undefined where the issuer did not sign it. */
  read(signed: Signed): Certificate | undefined;
}

/** Undefined where nothing is due or nobody could renew it now. Never throws. */
export async function renewIfDue(
  own: Certificate,
  env: RenewalEnv,
): Promise<Certificate | undefined> {
  if (!isRenewalDue(own, env.now())) return undefined;
  const { mesh, name } = own.body;
  if (env.issuer !== undefined) {
    const request = { mesh, name, peer: own.peer, roles: own.roles };
    return issueCertificate(env.issuer, request, { now: env.now(), random: env.random });
  }
  for (const { peer } of env.issuers) {
    if (peer === own.peer || env.transport?.isConnected(peer) !== true) continue;
    const renewed = await ask(own, peer, env);
    if (renewed !== undefined) return renewed;
  }
  env.logger.warn("renewal-found-no-issuer", { notAfter: own.body.notAfter });
  return undefined;
}

async function ask(
  own: Certificate,
  peer: Member["peer"],
  env: RenewalEnv,
): Promise<Certificate | undefined> {
  try {
    const options = { timeoutMs: RENEW_TIMEOUT_MS };
    const signed = await env.transport?.request(
      peer,
      renewRequest,
      { serial: own.body.serial },
      options,
    );
    const renewed = signed === undefined ? undefined : env.read(signed);
    const isBetter =
      renewed?.peer === own.peer &&
      renewed.body.notAfter > own.body.notAfter &&
      certificateFault(renewed, env.now()) === undefined;
    if (isBetter) return renewed;
    env.logger.warn("renewal-useless", { peer });
  } catch (error) {
    env.logger.warn("renewal-failed", {
      peer,
      reason: error instanceof Error ? error.message : String(error),
    });
  }
  return undefined;
}
