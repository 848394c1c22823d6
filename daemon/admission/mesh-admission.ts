/**
 * Who may join and who is in: the gate that the network asks, tickets, certificates and their renewal, revocations and their spread.
 * Every decision rests on the issuer's signature over exact bytes; peers only carry them.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { Random } from "../../src/env/random.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId, PeerRole } from "../../src/model/peer.ts";
import type {
  AdmissionGate,
  AdmissionVerdict,
  JoinChannel,
  PeerIdentity,
} from "../../src/wire/admission.ts";
import {
  ADMISSION_VERSION,
  admissionHello,
  type AdmissionHello,
  certificateNotice,
  renewRequest,
  type Signed,
} from "../../src/wire/admission-protocol.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { CLOCK_SKEW_MS_MAX, UPKEEP_INTERVAL_MS } from "./admission-limits.ts";
import { type Certificate, certificateFault, readCertificate } from "./certificate.ts";
import { type InviteOptions, Issuer } from "./issuer.ts";
import { type Member, MemberBook } from "./member-book.ts";
import type { MeshFiles, MeshSecrets } from "./mesh-files.ts";
import { renewIfDue } from "./renewal.ts";
import { RevocationSpread } from "./revocation-spread.ts";
import { momentText, spanText } from "./span-text.ts";

export type AdmissionEvent =
  /** Forget it: nothing of it counts any more. It may be this peer itself. */
  | { readonly t: "revoked"; readonly peer: PeerId }
  /** Its certificate ran out while it was connected: disconnect; it may come back with a new one. */
  | { readonly t: "expired"; readonly peer: PeerId }
  | { readonly t: "clock-skewed"; readonly peer: PeerId; readonly skewMs: number };

export interface MeshAdmissionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly identity: PeerIdentity;
  readonly files: MeshFiles;
}

export interface MeshAdmissionState {
  readonly secrets: MeshSecrets;
  readonly certificate: Certificate;
}

export class MeshAdmission implements AdmissionGate {
  readonly prologue: Uint8Array;
  /** Hex. */
  readonly mesh: string;
  readonly self: PeerId;
  readonly #deps: MeshAdmissionDeps;
  readonly #secrets: MeshSecrets;
  readonly #members: MemberBook;
  readonly #revocations: RevocationSpread;
  readonly #issuer: Issuer;
  readonly #listeners = new Set<(event: AdmissionEvent) => void>();
  readonly #skewed = new Set<PeerId>();
  #certificate: Certificate;
  #transport: Transport | undefined;
  #cancelUpkeep: (() => void) | undefined;
  #isRenewing = false;

  /** @throws MfError FILE_DAMAGED */
  constructor(deps: MeshAdmissionDeps, state: MeshAdmissionState) {
    const { files, clock, logger } = deps;
    const { secrets, certificate } = state;
    this.#deps = deps;
    this.#secrets = secrets;
    this.#certificate = certificate;
    this.mesh = secrets.mesh;
    this.self = deps.identity.peerId;
    this.prologue = prologueOf(secrets);
    this.#revocations = new RevocationSpread({
      logger,
      files,
      mesh: this.mesh,
      issuerKey: secrets.issuerKey,
      onRevoked: (peer) => this.#tellRevoked(peer),
    });
    this.#members = new MemberBook({ clock, logger, files, read: (signed) => this.#read(signed) });
    this.#members.noteCertificate(certificate);
    this.#issuer = new Issuer({
      ...deps,
      secrets,
      self: this.self,
      name: this.name,
      members: this.#members,
      isRevoked: (peer) => this.#revocations.has(peer),
      revocations: () => this.#revocations.firstPage(),
      reachable: () => [
        { peer: this.self, addresses: this.#transport?.addresses() ?? [] },
        ...this.seeds(),
      ],
    });
  }

  /** What the certificate allows this peer. */
  get roles(): readonly PeerRole[] {
    return this.#certificate.roles;
  }

  get name(): string {
    return this.#certificate.body.name;
  }

  get isIssuer(): boolean {
    return this.#secrets.issuer !== undefined;
  }

  get isRevoked(): boolean {
    return this.#revocations.has(this.self);
  }

  /** Ms since 1970. */
  get certifiedUntil(): number {
    return this.#certificate.body.notAfter;
  }

  credentials(): Uint8Array {
    return admissionHello.encode({
      v: ADMISSION_VERSION,
      now: this.#deps.clock.now(),
      certificate: this.#certificate.signed,
      head: this.#revocations.head(),
      revocations: this.#revocations.firstPage(),
    });
  }

  admit(from: PeerId, credentials: Uint8Array): AdmissionVerdict {
    let hello: AdmissionHello;
    try {
      hello = admissionHello.decode(credentials);
    } catch (error) {
      return refusal(error instanceof Error ? error.message : "malformed credentials");
    }
    if (hello.v !== ADMISSION_VERSION) {
      return refusal(`it speaks version ${hello.v} of admission, this peer ${ADMISSION_VERSION}`);
    }
    const certificate = this.#read(hello.certificate);
    if (certificate === undefined) return refusal("its certificate is not of this mesh's issuer");
    if (certificate.peer !== from) return refusal("its certificate is for another peer");
    if (!isSameHead(hello.head, this.#revocations.head())) {
      this.#revocations.learn(hello.revocations, from);
    }
    if (this.#revocations.has(from)) return refusal("it was revoked");
    const now = this.#deps.clock.now();
    const fault = certificateFault(certificate, now);
    if (fault !== undefined) return refusal(`${fault}${clockText(hello.now, now)}`);
    this.#members.noteCertificate(certificate);
    this.#noteClock(from, hello.now - now);
    return { isAdmitted: true };
  }

  serveJoin(channel: JoinChannel): Promise<void> {
    return this.#issuer.serve(channel);
  }

  /** Speaks with connected members from now on. Call once, before the transport starts. */
  attach(transport: Transport): void {
    this.#transport = transport;
    this.#revocations.attach(transport);
    transport.handle(renewRequest, async (from) => this.#issuer.renew(from));
    transport.listen(certificateNotice, (from, { certificate }) => {
      const known = this.#read(certificate);
      if (known?.peer === from) this.#members.noteCertificate(known);
    });
    transport.subscribe((event) => {
      if (event.t === "connected") this.noteAddresses(event.peer, event.addresses);
    });
  }

  /** Renews what is due, now and from time to time. */
  start(): void {
    void this.upkeep();
    const upkeep = (): void => {
      void this.upkeep();
      schedule();
    };
    const schedule = (): void => {
      this.#cancelUpkeep = this.#deps.clock.after(UPKEEP_INTERVAL_MS, upkeep, { unref: true });
    };
    schedule();
  }

  stop(): void {
    this.#cancelUpkeep?.();
    this.#cancelUpkeep = undefined;
    this.#members.close();
  }

  subscribe(listener: (event: AdmissionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `addresses`: where joiners reach this peer. @throws MfError ADMIN_NEEDED, USAGE */
  invite(
    addresses: readonly string[],
    options: InviteOptions = {},
  ): { readonly ticket: string; readonly expiresAt: number } {
    return this.#issuer.invite(addresses, options);
  }

  /** `text`: a name, an id or a unique part of one. On its way to others when it returns. @throws MfError ADMIN_NEEDED, PEER_NOT_FOUND, PATHSPEC_AMBIGUOUS, USAGE */
  revoke(text: string): { readonly peer: PeerId; readonly name: string } {
    const issuer = this.#issuer.key("revoke");
    const peer = this.#members.find(text);
    if (peer === this.self) {
      const message = "A daemon cannot revoke itself; revoke it from another one, or stop it.";
      throw new MfError("USAGE", { message, command: "revoke" });
    }
    this.#revocations.revoke(issuer, peer, this.#deps.clock.now());
    return { peer, name: this.#members.nameOf(peer) };
  }

  /** Peers to connect to at the start, with the addresses they had. */
  seeds(): readonly Member[] {
    return this.#members.all().filter(({ peer, addresses }) => {
      return peer !== this.self && !this.#revocations.has(peer) && addresses.length > 0;
    });
  }

  /** Undefined where it is unknown or revoked. */
  member(peer: PeerId): Member | undefined {
    return this.#revocations.has(peer) ? undefined : this.#members.get(peer);
  }

  /** Whether its signature counts here, whatever time it is from: a certificate that ran out was one. */
  standingOf(peer: PeerId): {
    readonly peer: PeerId;
    readonly standing: "self" | "member" | "revoked" | "unknown";
    readonly name?: string;
  } {
    const name = this.#members.get(peer)?.certificate?.body.name;
    const named = { peer, ...(name === undefined ? {} : { name }) };
    if (this.#revocations.has(peer)) return { ...named, standing: "revoked" };
    if (peer === this.self) return { ...named, standing: "self" };
    return { ...named, standing: name === undefined ? "unknown" : "member" };
  }

  /** Where a peer says that it listens; kept over restarts and told to joiners. */
  noteAddresses(peer: PeerId, addresses: readonly string[]): void {
    this.#members.noteAddresses(peer, addresses);
  }

  saveMembers(): void {
    this.#members.save();
  }

  /** One look at what is due: this peer's renewal, certificates of others that ran out. Never rejects. */
  async upkeep(): Promise<void> {
    const { clock, random, logger } = this.#deps;
    this.#tellExpired();
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    try {
      const renewed = await renewIfDue(this.#certificate, {
        now: () => clock.now(),
        random,
        logger,
        transport: this.#transport,
        issuer: this.#secrets.issuer,
        issuers: this.#members.admins(),
        read: (signed) => this.#read(signed),
      });
      if (renewed !== undefined) this.#takeOwn(renewed);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error("renewal-not-saved", { reason });
    } finally {
      this.#isRenewing = false;
    }
  }

  #takeOwn(certificate: Certificate): void {
    const { files, logger } = this.#deps;
    files.saveCertificate(certificate.signed);
    this.#certificate = certificate;
    this.#members.noteCertificate(certificate);
    logger.info("certificate-renewed", { until: momentText(certificate.body.notAfter) });
    for (const peer of this.#transport?.connected() ?? []) {
      this.#transport?.send(peer, certificateNotice, { certificate: certificate.signed });
    }
  }

  #tellExpired(): void {
    for (const peer of this.#transport?.connected() ?? []) {
      const certificate = this.#members.get(peer)?.certificate;
      if (certificate === undefined) continue;
      const fault = certificateFault(certificate, this.#deps.clock.now());
      if (fault !== undefined) this.#emit({ t: "expired", peer });
    }
  }

  #noteClock(peer: PeerId, skewMs: number): void {
    if (Math.abs(skewMs) <= CLOCK_SKEW_MS_MAX) {
      this.#skewed.delete(peer);
      return;
    }
    if (this.#skewed.has(peer)) return;
    this.#skewed.add(peer);
    const name = this.#members.nameOf(peer);
    this.#deps.logger.warn("clock-skewed", { peer, name, difference: spanText(skewMs), skewMs });
    this.#emit({ t: "clock-skewed", peer, skewMs });
  }

  #read(signed: Signed): Certificate | undefined {
    return readCertificate(signed, this.#secrets.issuerKey, this.mesh);
  }

  #tellRevoked(peer: PeerId): void {
    this.#deps.logger.warn("peer-revoked", { peer, name: this.#members.nameOf(peer) });
    this.#emit({ t: "revoked", peer });
  }

  #emit(event: AdmissionEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

/** Old and new secrets give different prologues, so a handshake between them fails. */
function prologueOf(secrets: MeshSecrets): Uint8Array {
  const hash = createHash("sha256").update("mf\0").update(Buffer.from(secrets.mesh, "hex"));
  return new Uint8Array(hash.update(secrets.secret).digest());
}

function refusal(reason: string): AdmissionVerdict {
  return { isAdmitted: false, reason };
}

function clockText(theirs: number, ours: number): string {
  const difference = theirs - ours;
  if (Math.abs(difference) <= CLOCK_SKEW_MS_MAX) return "";
  const order = difference > 0 ? "ahead of" : "behind";
  return `; its clock is ${spanText(difference)} ${order} mine (${momentText(theirs)} and ${momentText(ours)})`;
}

function isSameHead(a: AdmissionHello["head"], b: AdmissionHello["head"]): boolean {
  return a.count === b.count && Buffer.from(a.digest).equals(b.digest);
}
