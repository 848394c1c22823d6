/** `mfd invite`: prints a ticket and nothing else, so that it can be piped. JSON: {"ticket","expiresAt"}. */
import { type CommonOptions, writeJson } from "../../cli/command-context.ts";
import { parseRoles } from "../config/daemon-options.ts";
import { type DaemonContext, withDaemon } from "../daemon-context.ts";

interface InviteOptions extends CommonOptions {
  readonly roles?: string;
  readonly ttl?: number;
}

export async function inviteCommand(
  context: DaemonContext,
  options: InviteOptions,
): Promise<number> {
  const { roles, ttl } = options;
  const request = {
    ...(roles === undefined ? {} : { roles: parseRoles(roles, "invite") }),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
  };
  const { ticket, expiresAt } = await withDaemon(context, (side) => side.invite(request));
  if (options.json === true) writeJson(context, { ticket, expiresAt });
  else context.terminal.out(`${ticket}\n`);
  return 0;
}
