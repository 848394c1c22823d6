/**
 * Connections that were accepted and are no link yet: few at a time, each for a short while. Whoever finished a handshake and asks
 * nothing would only take a place, and libp2p makes room by closing whatever it likes.
 */
import type { Connection } from "@libp2p/interface";
import type { Clock } from "../../src/env/clock.ts";
import { MEMBER_ENCRYPTION } from "./libp2p-host.ts";
import { endConnection } from "./link-stream.ts";
import { GREETING_MS, STRANGERS_MAX } from "./net-limits.ts";

export class InboundWatch {
  readonly #clock: Clock;
  readonly #strangers = new Set<Connection>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  opened(connection: Connection): void {
    if (connection.direction !== "inbound") return;
    if (connection.encryption !== MEMBER_ENCRYPTION && !this.#takePlace(connection)) return;
    let cancel = (): void => undefined;
    const look = (): void => {
      if (connection.streams.length === 0) void endConnection(connection, "it asks nothing", true);
      else cancel = this.#clock.after(GREETING_MS, look, { unref: true });
    };
    cancel = this.#clock.after(GREETING_MS, look, { unref: true });
    connection.addEventListener("close", () => cancel());
  }

  #takePlace(connection: Connection): boolean {
    if (this.#strangers.size >= STRANGERS_MAX) {
      void endConnection(connection, "too many strangers", true);
      return false;
    }
    this.#strangers.add(connection);
    connection.addEventListener("close", () => this.#strangers.delete(connection));
    return true;
  }
}
