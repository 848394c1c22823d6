/** A TCP relay on loopback whose connections can be broken by command: the pulled cable of a test. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface TcpRelay {
  readonly port: number;
  /** Resets every connection that goes through. */
  breakAll(): void;
  close(): Promise<void>;
}

export async function startRelay(targetPort: number): Promise<TcpRelay> {
  const sockets = new Set<Socket>();
  const adopt = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  };
  const listener = createServer((inbound) => {
    const outbound = connect(targetPort, "127.0.0.1");
    adopt(inbound);
    adopt(outbound);
    inbound.pipe(outbound).pipe(inbound);
    inbound.on("close", () => outbound.destroy());
    outbound.on("close", () => inbound.destroy());
  });
  await new Promise<void>((resolve) => {
    listener.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (listener.address() as AddressInfo).port,
    breakAll() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        listener.close(resolve);
      });
    },
  };
}

/** The port of a multiaddr like `/ip4/127.0.0.1/tcp/4077`. */
export function portOf(address: string | undefined): number {
  return Number(/\/tcp\/(\d+)/u.exec(address ?? "")?.[1]);
}
