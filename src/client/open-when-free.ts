/**
 * Opens a home's store for whoever finds it held: another `mf` that only reads holds it for a moment and is waited for; a daemon or an
 * `mf run` stays, and answers on its socket instead.
 */
import { delay } from "../env/clock.ts";
import { isMfError } from "../model/errors.ts";
import { openStore, type OpenStoreOptions } from "../store/open-store.ts";
import type { Store } from "../store/ports.ts";
import { connectControl } from "./control/control-client.ts";

/** A reading command holds the store for a moment only: worth waiting for. */
const STORE_WAIT_MS = 4_000;
const STORE_RETRY_MS = 60;

export interface WaitOptions {
  readonly waitMs?: number;
  /** Asked while the store is held; true ends the waiting. @default whether the holder answers on its socket */
  readonly isServed?: () => Promise<boolean>;
}

/** @throws MfError STORE_IN_USE where the holder answers (it stays) or takes longer, and those of opening */
export async function openStoreWhenFree(
  home: string,
  options: OpenStoreOptions,
  { waitMs = STORE_WAIT_MS, isServed = () => isAnswered(home) }: WaitOptions = {},
): Promise<Store> {
  const { clock } = options;
  const deadline = clock.monotonic() + waitMs;
  for (;;) {
    try {
      return await openStore(home, options);
    } catch (error) {
      if (!isMfError(error, "STORE_IN_USE")) throw error;
      if ((await isServed()) || clock.monotonic() > deadline) throw error;
    }
    await delay(clock, STORE_RETRY_MS);
  }
}

async function isAnswered(home: string): Promise<boolean> {
  const other = await connectControl(home);
  other?.close();
  return other !== undefined;
}
