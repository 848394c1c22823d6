/** The few operations the store asks of its index, so that a test can put a failing one in between. LevelDB behind it. */
import { Level } from "level";

export type KvOp =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: string };

export interface Kv {
  getMany(keys: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** All or nothing, on the disk when it resolves. */
  batch(ops: readonly KvOp[]): Promise<void>;
  /** Rows whose key begins with `prefix`, in key order. */
  rows(prefix: string): AsyncIterable<[string, Uint8Array]>;
  close(): Promise<void>;
}

/** So few are read on the spot: some 20 us each, where a thread of the pool and back takes longer. */
const SYNC_KEYS_MAX = 2;

export type KvOpener = (path: string) => Promise<Kv>;

export const openLevelKv: KvOpener = async (path) => {
  const db = new Level<string, Uint8Array>(path, {
    keyEncoding: "utf8",
    valueEncoding: "view",
    // Artifacts are mostly numbers and hashes: compression costs more than it saves.
    compression: false,
    writeBufferSize: 8 * 1024 * 1024,
  });
  await db.open();
  return {
    getMany: async (keys) =>
      keys.length <= SYNC_KEYS_MAX ? keys.map((key) => db.getSync(key)) : db.getMany([...keys]),
    batch: async (ops) => {
      // A chained batch hands each operation to LevelDB as it is; an array is cloned and checked object by object first.
      const batch = db.batch();
      for (const op of ops) {
        if (op.type === "put") batch.put(op.key, op.value);
        else batch.del(op.key);
      }
      await batch.write({ sync: true });
    },
    rows: (prefix) => db.iterator({ gte: prefix, lt: `${prefix}\uffff` }),
    close: () => db.close(),
  };
};

/** LevelDB's own salvage of a damaged database. */
export function repairLevel(path: string): Promise<void> {
  return (Level as unknown as { repair(path: string): Promise<void> }).repair(path);
}
