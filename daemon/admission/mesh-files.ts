/**
 * What this daemon keeps of its mesh, in home/mesh: one small private file a noun, versioned, checked when read as a stranger's
 * message is. mesh.json and certificate.json are its membership; a damaged one stops the start. tickets.json and members.json can be
 * made anew, so a damaged one is set aside.
 */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { Logger } from "../../src/env/logger.ts";
import { MfError } from "../../src/model/errors.ts";
import type { PeerId } from "../../src/model/peer.ts";
import {
  makePrivateFolder,
  readPrivateFile,
  writePrivateFile,
} from "../../src/std/durable-file.ts";
import {
  type Signed,
  storedCertificate,
  storedMembers,
  storedMesh,
  storedRevocations,
  storedTickets,
} from "../../src/wire/admission-protocol.ts";
import { MESH_FILE_BYTES_MAX } from "./admission-limits.ts";
import { keyPairOf, type KeyPair } from "../../src/trust/ed25519.ts";
import type { Tickets } from "./ticket-machine.ts";

/** What makes a peer a member, whatever else it forgets. */
export interface MeshSecrets {
  /** Hex. */
  readonly mesh: string;
  readonly secret: Uint8Array;
  readonly epoch: number;
  readonly issuerKey: Uint8Array;
  /** Where this daemon may sign. */
  readonly issuer?: KeyPair;
}

export interface StoredMember {
  readonly peer: PeerId;
  readonly certificate?: Signed;
  readonly addresses: readonly string[];
}

/** Without changing anything: a home may belong to no mesh. */
export function hasMesh(home: string): boolean {
  return existsSync(join(home, "mesh", "mesh.json"));
}

export class MeshFiles {
  readonly #folder: string;
  readonly #logger: Logger;
  readonly #isReadOnly: boolean;

  /** `isReadOnly`: for who only looks; what is damaged is left where it is. */
  constructor(home: string, logger: Logger, { isReadOnly = false } = {}) {
    this.#folder = join(home, "mesh");
    this.#logger = logger;
    this.#isReadOnly = isReadOnly;
    if (!isReadOnly) makePrivateFolder(this.#folder);
  }

  /** @throws MfError FILE_DAMAGED, FILE_EXPOSED */
  secrets(): MeshSecrets | undefined {
    const stored = this.#read("mesh.json", storedMesh);
    if (stored === undefined) return undefined;
    const { mesh, epoch, issuerSeed } = stored;
    const issuerKey = fromHex(stored.issuerKey);
    const issuer = issuerSeed === undefined ? undefined : keyPairOf(fromHex(issuerSeed));
    if (issuer !== undefined && toHex(issuer.publicKey) !== stored.issuerKey) {
      throw this.damaged("mesh.json", "the issuer's keys do not belong together");
    }
    const secret = fromHex(stored.secret);
    return { mesh, secret, epoch, issuerKey, ...(issuer === undefined ? {} : { issuer }) };
  }

  saveSecrets(secrets: MeshSecrets): void {
    const { mesh, secret, epoch, issuerKey, issuer } = secrets;
    this.#write("mesh.json", {
      mesh,
      secret: toHex(secret),
      epoch,
      issuerKey: toHex(issuerKey),
      ...(issuer === undefined ? {} : { issuerSeed: toHex(issuer.seed) }),
    });
  }

  /** @throws MfError FILE_DAMAGED, FILE_EXPOSED */
  certificate(): Signed | undefined {
    const stored = this.#read("certificate.json", storedCertificate);
    return stored === undefined ? undefined : fromStored(stored.certificate);
  }

  saveCertificate(certificate: Signed): void {
    this.#write("certificate.json", { certificate: toStored(certificate) });
  }

  /** A lost list of tickets only makes those that are open invalid. */
  tickets(): Tickets {
    const stored = this.#readOrSetAside("tickets.json", storedTickets);
    return new Map(
      stored?.tickets.map(({ usedBy, ...ticket }) => [
        ticket.id,
        usedBy === undefined
          ? ticket
          : { ...ticket, usedBy: { ...usedBy, peer: usedBy.peer as PeerId } },
      ]),
    );
  }

  saveTickets(tickets: Tickets): void {
    this.#write("tickets.json", { tickets: [...tickets.values()] });
  }

  /** Not set aside when damaged: without it, who was thrown out would be let in again. @throws MfError FILE_DAMAGED */
  revocations(): readonly Signed[] {
    const stored = this.#read("revocations.json", storedRevocations);
    return stored?.revocations.map(fromStored) ?? [];
  }

  saveRevocations(revocations: readonly Signed[]): void {
    this.#write("revocations.json", { revocations: revocations.map(toStored) });
  }

  members(): readonly StoredMember[] {
    const stored = this.#readOrSetAside("members.json", storedMembers);
    return (stored?.members ?? []).map(({ peer, addresses, certificate }) => ({
      peer: peer as PeerId,
      addresses,
      ...(certificate === undefined ? {} : { certificate: fromStored(certificate) }),
    }));
  }

  saveMembers(members: readonly StoredMember[]): void {
    this.#write("members.json", {
      members: members.map(({ peer, addresses, certificate }) => ({
        peer,
        addresses,
        ...(certificate === undefined ? {} : { certificate: toStored(certificate) }),
      })),
    });
  }

  #write(name: string, fields: object): void {
    writePrivateFile(join(this.#folder, name), `${JSON.stringify({ v: 1, ...fields })}\n`);
  }

  #read<S extends v.GenericSchema>(name: string, schema: S): v.InferOutput<S> | undefined {
    const file = join(this.#folder, name);
    const found = readPrivateFile(file, MESH_FILE_BYTES_MAX);
    if (found.t === "missing") return undefined;
    if (found.t === "exposed") throw new MfError("FILE_EXPOSED", { file, mode: found.mode });
    if (found.t === "too-big") throw this.damaged(name, `it has ${found.bytes} bytes`);
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(found.data).toString("utf8"));
    } catch {
      throw this.damaged(name, "it is no JSON");
    }
    const result = v.safeParse(schema, value, { abortEarly: true });
    if (result.success) return result.output;
    const [issue] = result.issues;
    throw this.damaged(name, `${v.getDotPath(issue) ?? "it"} has a wrong form`);
  }

  #readOrSetAside<S extends v.GenericSchema>(
    name: string,
    schema: S,
  ): v.InferOutput<S> | undefined {
    try {
      return this.#read(name, schema);
    } catch (error) {
      if (this.#isReadOnly) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.warn("mesh-file-set-aside", { file: name, reason });
      const file = join(this.#folder, name);
      renameSync(file, `${file}.damaged`);
      return undefined;
    }
  }

  damaged(name: string, reason: string): MfError {
    return new MfError("FILE_DAMAGED", { file: join(this.#folder, name), reason });
  }
}

interface StoredSigned {
  readonly body: string;
  readonly signature: string;
}

function toStored(signed: Signed): StoredSigned {
  return { body: toHex(signed.body), signature: toHex(signed.signature) };
}

function fromStored(stored: StoredSigned): Signed {
  return { body: fromHex(stored.body), signature: fromHex(stored.signature) };
}

function toHex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

function fromHex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}
