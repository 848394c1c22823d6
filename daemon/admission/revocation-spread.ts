/**
 * Revocations: kept durably, told to every connected peer at once, learnt from anyone because only the issuer can sign them. Who is
 * told something new passes it on, so one peer that both sides reach is enough.
 */
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  type RevocationHead,
  revocationBody,
  REVOCATIONS_PER_MESSAGE_MAX,
  revocationsNotice,
  type Signed,
} from "../../src/wire/admission-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { REVOCATIONS_MAX } from "./admission-limits.ts";
import { issueRevocation, readRevocation } from "./certificate.ts";
import type { KeyPair } from "../../src/trust/ed25519.ts";
import type { MeshFiles } from "./mesh-files.ts";
import { RevocationSet } from "./revocation-set.ts";

export interface RevocationSpreadDeps {
  readonly logger: Logger;
  readonly files: MeshFiles;
  readonly mesh: string;
  readonly issuerKey: Uint8Array;
  onRevoked(peer: PeerId): void;
}

export class RevocationSpread {
  readonly #deps: RevocationSpreadDeps;
  readonly #set = new RevocationSet();
  #transport: Transport | undefined;

  /** @throws MfError FILE_DAMAGED */
  constructor(deps: RevocationSpreadDeps) {
    this.#deps = deps;
    for (const signed of deps.files.revocations()) {
      const revocation = readRevocation(signed, deps.issuerKey, deps.mesh);
      if (revocation === undefined) {
        throw deps.files.damaged("revocations.json", "an entry is not signed by the issuer");
      }
      this.#set.add(revocation);
    }
  }

  has(peer: PeerId): boolean {
    return this.#set.has(peer);
  }

  head(): RevocationHead {
    return this.#set.head();
  }

  /** What fits a message: the whole list, or its first entries. */
  firstPage(): Signed[] {
    return this.#set.pages()[0] ?? [];
  }

  attach(transport: Transport): void {
    this.#transport = transport;
    transport.listen(revocationsNotice, (from, { revocations }) => this.learn(revocations, from));
    transport.subscribe((event) => {
      if (event.t !== "connected") return;
      // The first page was in the hello.
      for (const revocations of this.#set.pages().slice(1)) {
        transport.send(event.peer, revocationsNotice, { revocations });
      }
    });
  }

  /** @throws MfError USAGE where no more fit */
  revoke(issuer: KeyPair, peer: PeerId, now: number): void {
    if (this.#set.has(peer)) return;
    if (this.#set.head().count >= REVOCATIONS_MAX) {
      const message = `A mesh holds at most ${REVOCATIONS_MAX} revocations; make a new mesh.`;
      throw new MfError("USAGE", { message, command: "revoke" });
    }
    this.learn([issueRevocation(issuer, { mesh: this.#deps.mesh, peer, at: now }).signed]);
  }

  /** Takes over what is news, durably, tells it and passes it on. Stops at the first that the issuer did not sign. */
  learn(list: readonly Signed[], from?: PeerId): void {
    const { files, logger, mesh, issuerKey } = this.#deps;
    const news: Signed[] = [];
    const peers: PeerId[] = [];
    for (const signed of list) {
      if (this.#isKnown(signed)) continue;
      const revocation = readRevocation(signed, issuerKey, mesh);
      if (revocation === undefined) {
        logger.warn("revocation-forged", { from });
        break;
      }
      if (!this.#set.add(revocation)) continue;
      news.push(signed);
      peers.push(revocation.peer);
    }
    if (news.length === 0) return;
    this.#save(files);
    for (let at = 0; at < news.length; at += REVOCATIONS_PER_MESSAGE_MAX) {
      this.#pass(news.slice(at, at + REVOCATIONS_PER_MESSAGE_MAX), from);
    }
    for (const peer of peers) this.#deps.onRevoked(peer);
  }

  #pass(revocations: Signed[], from: PeerId | undefined): void {
    for (const peer of this.#transport?.connected() ?? []) {
      if (peer !== from) this.#transport?.send(peer, revocationsNotice, { revocations });
    }
  }

  /** A disk that is full must not stop a revocation from counting here and spreading; others tell it again at the next start. */
  #save(files: MeshFiles): void {
    try {
      files.saveRevocations(this.#set.all());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#deps.logger.error("revocations-not-saved", { reason });
    }
  }

  /** By what it says, before its signature costs anything: forging what we know already gains nothing. */
  #isKnown(signed: Signed): boolean {
    try {
      return this.#set.has(revocationBody.decode(signed.body).peer as PeerId);
    } catch {
      return false;
    }
  }
}
