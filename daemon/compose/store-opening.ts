/** Opens the home's store for a daemon. An `mf` that reads the home directly holds it for a moment: that is waited for. */
import { connectControl } from "../../src/client/control/control-client.ts";
import { delay } from "../../src/env/clock.ts";
import { isMfError } from "../../src/model/errors.ts";
import { openStore, type OpenStoreOptions } from "../../src/store/open-store.ts";
import type { Store } from "../../src/store/ports.ts";

/** Longer than any command reads a store. */
const STORE_WAIT_MS = 10_000;
const STORE_RETRY_MS = 60;

/** @throws MfError STORE_IN_USE where the holder answers on its socket (it stays) or takes longer, and those of opening */
export async function openStoreWhenFree(home: string, options: OpenStoreOptions): Promise<Store> {
  const { clock } = options;
  const deadline = clock.monotonic() + STORE_WAIT_MS;
  for (;;) {
    try {
      return await openStore(home, options);
    } catch (error) {
      if (!isMfError(error, "STORE_IN_USE") || clock.monotonic() > deadline) throw error;
      if (await isServed(home)) throw error;
    }
    await delay(clock, STORE_RETRY_MS);
  }
}

async function isServed(home: string): Promise<boolean> {
  const other = await connectControl(home);
  other?.close();
  return other !== undefined;
}
