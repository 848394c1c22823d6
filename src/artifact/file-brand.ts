/** A stored file as it occurs inside a value: anything that carries the brand is encoded as a reference, not as an object. */
export interface FileInfo {
  readonly id: string;
  readonly name: string;
  readonly size: number;
}

/** Registered, so that values made by another copy of the library are known too. */
export const FILE_BRAND: unique symbol = Symbol.for("meshflow.file");

export function fileInfoOf(value: object): FileInfo | undefined {
  if (!(FILE_BRAND in value)) return undefined;
  const { id, name, size } = value as Partial<FileInfo>;
  if (typeof id !== "string" || typeof name !== "string" || typeof size !== "number")
    return undefined;
  return { id, name, size };
}

export function brandedFile(info: FileInfo): FileInfo {
  const { id, name, size } = info;
  return Object.defineProperty({ id, name, size }, FILE_BRAND, { value: true });
}
