/** The members this daemon has met or was told of: their newest certificate and where they can be reached. Kept over restarts. */
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import {
  ADDRESSES_MAX,
  ADDRESS_CHARS_MAX,
  type Signed,
} from "../../src/wire/admission-protocol.ts";
import { MEMBERS_MAX, MEMBERS_SAVE_MS } from "./admission-limits.ts";
import type { Certificate } from "./certificate.ts";
import { publicKeyOf } from "../../src/trust/ed25519.ts";
import type { MeshFiles } from "./mesh-files.ts";

export interface Member {
  readonly peer: PeerId;
  /** Undefined while it is only known from a ticket or from another peer. */
  readonly certificate?: Certificate;
  readonly addresses: readonly string[];
}

export interface MemberBookDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly files: Pick<MeshFiles, "members" | "saveMembers">;
  /** Undefined where the issuer did not sign it. */
  read(signed: Signed): Certificate | undefined;
}

export class MemberBook {
  readonly #deps: MemberBookDeps;
  readonly #members = new Map<PeerId, Member>();
  #cancelSave: (() => void) | undefined;

  constructor(deps: MemberBookDeps) {
    this.#deps = deps;
    for (const { peer, addresses, certificate } of deps.files.members().slice(0, MEMBERS_MAX)) {
      const known = certificate === undefined ? undefined : deps.read(certificate);
      const isItsOwn = known?.peer === peer;
      this.#members.set(peer, { peer, addresses, ...(isItsOwn ? { certificate: known } : {}) });
    }
  }

  get(peer: PeerId): Member | undefined {
    return this.#members.get(peer);
  }

  all(): readonly Member[] {
    return [...this.#members.values()];
  }

  admins(): readonly Member[] {
    return this.all().filter((member) => member.certificate?.roles.includes("admin"));
  }

  rolesOf(peer: PeerId): readonly PeerRole[] {
    return this.#members.get(peer)?.certificate?.roles ?? [];
  }

  nameOf(peer: PeerId): string {
    return this.#members.get(peer)?.certificate?.body.name ?? peer.slice(-8);
  }

  /** An older certificate never replaces a newer one. */
  noteCertificate(certificate: Certificate): void {
    const { peer } = certificate;
    const before = this.#members.get(peer);
    const known = before?.certificate?.body;
    const { notAfter, serial } = certificate.body;
    if (known !== undefined && (known.notAfter > notAfter || known.serial === serial)) return;
    if (before === undefined && this.#members.size >= MEMBERS_MAX) return;
    this.#members.set(peer, { peer, certificate, addresses: before?.addresses ?? [] });
    this.#saveSoon();
  }

  noteAddresses(peer: PeerId, given: readonly string[]): void {
    const addresses = given.filter(isAddress).slice(0, ADDRESSES_MAX);
    const before = this.#members.get(peer);
    if (addresses.length === 0 || before?.addresses.join() === addresses.join()) return;
    if (before === undefined && this.#members.size >= MEMBERS_MAX) return;
    this.#members.set(peer, { ...before, peer, addresses });
    this.#saveSoon();
  }

  /** `text`: a name, an id or a unique part of one (its end too: that is what tables show). @throws MfError PEER_NOT_FOUND, PATHSPEC_AMBIGUOUS */
  find(text: string): PeerId {
    if (publicKeyOf(text) !== undefined) return text as PeerId;
    const exact = this.all().filter((member) => this.nameOf(member.peer) === text);
    const close = this.all().filter(
      ({ peer }) =>
        text !== "" &&
        (peer.startsWith(text) || peer.endsWith(text) || this.nameOf(peer).startsWith(text)),
    );
    const found = exact.length > 0 ? exact : close;
    const [first] = found;
    if (first === undefined) throw new MfError("PEER_NOT_FOUND", { peer: text });
    if (found.length === 1) return first.peer;
    const candidates = found.map(({ peer }) => `${this.nameOf(peer)} (${peer})`).join(", ");
    throw new MfError("PATHSPEC_AMBIGUOUS", { text, candidates });
  }

  /** Writes down what waits to be. */
  close(): void {
    if (this.#cancelSave !== undefined) this.save();
  }

  save(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    try {
      this.#deps.files.saveMembers(
        this.all().map(({ peer, addresses, certificate }) => ({
          peer,
          addresses,
          ...(certificate === undefined ? {} : { certificate: certificate.signed }),
        })),
      );
    } catch (error) {
      // Only hints for the next start; a full disk must not end the daemon here.
      const reason = error instanceof Error ? error.message : String(error);
      this.#deps.logger.warn("members-not-saved", { reason });
    }
  }

  #saveSoon(): void {
    const save = (): void => this.save();
    this.#cancelSave ??= this.#deps.clock.after(MEMBERS_SAVE_MS, save, { unref: true });
  }
}

/** The form that home/mesh and the wire allow: what a peer says of itself is not kept unseen. */
function isAddress(text: string): boolean {
  return text.length <= ADDRESS_CHARS_MAX && /^\/[\x21-\x7e]+$/.test(text);
}
