/** A stored value as JSON: typed arrays and Sets as arrays, Map as an object (entries where keys are not text), bigint as text, Date ISO, bytes base64. NaN and infinities become null, as JSON has none. */
export function toJsonValue(value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(toJsonValue);
  if (Object.prototype.toString.call(value) === "[object Date]")
    return JSON.parse(JSON.stringify(value));
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("base64");
  if (ArrayBuffer.isView(value))
    return Array.from(value as Float64Array | BigInt64Array, toJsonValue);
  if (value instanceof Set) return Array.from(value, toJsonValue);
  if (value instanceof Map) return mapToJson(value);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toJsonValue(entry)]));
}

function mapToJson(map: ReadonlyMap<unknown, unknown>): unknown {
  const entries = [...map].map(([key, entry]): [unknown, unknown] => [key, toJsonValue(entry)]);
  const isText = entries.every(([key]) => typeof key === "string");
  return isText
    ? Object.fromEntries(entries as [string, unknown][])
    : entries.map(([key, entry]) => [toJsonValue(key), entry]);
}
