/** Strangers with a ticket: how many may be connected, and who of them talks to the gate. */
import type { Connection, Stream } from "@libp2p/interface";
import type { Clock } from "../../src/env/clock.ts";
import type { Logger } from "../../src/env/logger.ts";
import type { AdmissionGate } from "../../src/wire/admission.ts";
import { joinChannel } from "./join-channel.ts";
import { JOIN_ENCRYPTION } from "./libp2p-host.ts";
import { endConnection } from "./link-stream.ts";
import { JOINS_MAX } from "./net-limits.ts";

export interface JoinServiceDeps {
  readonly gate: AdmissionGate;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class JoinService {
  readonly #deps: JoinServiceDeps;
  #count = 0;

  constructor(deps: JoinServiceDeps) {
    this.#deps = deps;
  }

  accept(stream: Stream, connection: Connection): void {
    const isStranger = connection.encryption === JOIN_ENCRYPTION;
    if (!isStranger || this.#count >= JOINS_MAX)
      return void endConnection(connection, "not now, or not over this encrypter", true);
    void this.#serve(stream, connection);
  }

  /** Never rejects. */
  async #serve(stream: Stream, connection: Connection): Promise<void> {
    this.#count++;
    const channel = joinChannel(stream, connection, this.#deps.clock);
    try {
      await this.#deps.gate.serveJoin(channel);
    } catch (error) {
      this.#deps.logger.error("join-failed", { peer: channel.remote, error: String(error) });
    } finally {
      await channel.close();
      this.#count--;
    }
  }
}
