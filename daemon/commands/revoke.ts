/** `mfd revoke`: throws a peer out of the mesh. JSON: {"peer","name"}. */
import { type CommonOptions, writeJson } from "../../cli/command-context.ts";
import { type DaemonContext, withDaemon } from "../daemon-context.ts";

export async function revokeCommand(
  context: DaemonContext,
  peer: string,
  options: CommonOptions,
): Promise<number> {
  const revoked = await withDaemon(context, (side) => side.revoke(peer));
  if (options.json === true) writeJson(context, { peer: revoked.peer, name: revoked.name });
  else context.terminal.out(`revoked ${revoked.name} (${revoked.peer})\n`);
  return 0;
}
