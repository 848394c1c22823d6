/** Amounts as people write them: `4GB`, `512MB`, `50%` (of what the machine has), `2.5` (cores). 1 KB is 1024 bytes, as in flows. */
import { SIZE_BYTES } from "../../src/model/size-units.ts";

/** Undefined where it is no size. */
export function parseSize(text: string, whole: number): number | undefined {
  const share = parseShare(text);
  if (share !== undefined) return Math.floor(share * whole);
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s*([KMGT]?)i?B$/i.exec(text.trim());
  const unit = SIZE_BYTES[`${(match?.[2] ?? "").toUpperCase()}B`];
  if (match === null || unit === undefined) return undefined;
  return Math.floor(Number(match[1]) * unit);
}

/** Undefined where it is no number of cores. */
export function parseCores(text: string, whole: number): number | undefined {
  const share = parseShare(text);
  if (share !== undefined) return share * whole;
  return /^\d{1,4}(\.\d{1,3})?$/.test(text.trim()) ? Number(text) : undefined;
}

function parseShare(text: string): number | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,3})?)\s*%$/.exec(text.trim());
  if (match === null) return undefined;
  const share = Number(match[1]) / 100;
  return share > 0 && share <= 1 ? share : undefined;
}
