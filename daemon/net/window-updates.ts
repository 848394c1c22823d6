/**
 * yamux answers every frame of data with a window update, so each small message costs another record, another system call and
 * another wake-up on either side; that was half of what an idle daemon did. Told after half a window, the sender never waits for it:
 * the other half is still open to it then.
 */
import type { Stream } from "@libp2p/interface";
import { StreamState, YamuxStream } from "@libp2p/yamux/stream";

export function spareWindowUpdates(stream: Stream): void {
  if (!(stream instanceof YamuxStream)) return;
  const update = stream.sendWindowUpdate.bind(stream);
  stream.sendWindowUpdate = () => {
    // Before that the update carries the flags that establish it.
    const isEstablished = stream.state === StreamState.Established;
    if (isEstablished && stream["recvWindowCapacity"] > stream["recvWindow"] / 2) return;
    update();
  };
}
