/** Where inside a value something is, as its author would write it: `model.layers[3].activate`, `m["two words"]`. */
export type PathKey = string | number;

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const KEYS_SHOWN_MAX = 12;

export function pathText(root: string | undefined, keys: readonly PathKey[]): string {
  const shown = keys.slice(0, KEYS_SHOWN_MAX);
  const text = shown.reduce<string>((path, key) => path + stepText(key), root ?? "value");
  return keys.length > KEYS_SHOWN_MAX ? `${text}…` : text;
}

function stepText(key: PathKey): string {
  if (typeof key === "number") return `[${key}]`;
  return IDENTIFIER.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
