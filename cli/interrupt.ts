/** SIGINT and SIGTERM alike: the first asks, the second leaves at once (hosts die with their parent). */
import process from "node:process";

export const EXIT_INTERRUPTED = 130;

export interface Interrupt {
  isAsked(): boolean;
  onAsked(callback: () => void): void;
  stop(): void;
}

export function listenForInterrupt(): Interrupt {
  let isAsked = false;
  let callback: (() => void) | undefined;
  const listener = (): void => {
    if (isAsked) process.exit(EXIT_INTERRUPTED);
    isAsked = true;
    callback?.();
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    isAsked: () => isAsked,
    onAsked(given) {
      callback = given;
      if (isAsked) given();
    },
    stop() {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    },
  };
}
