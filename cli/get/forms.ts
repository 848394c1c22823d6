/** A value in the form that was asked for, as pieces to write. */
import { csvPieces, tableOf } from "../../src/artifact/csv.ts";
import { encodeNpy } from "../../src/artifact/npy.ts";
import { isTypedArray, shapeOf, typedArrayName } from "../../src/artifact/typed-array.ts";
import type { Records } from "../../src/client/records.ts";
import { MfError } from "../../src/model/errors.ts";
import type { Cid } from "../../src/model/ids.ts";
import { toJsonValue } from "../value-json.ts";
import type { Pieces } from "./save-file.ts";
import { fileOf } from "./target.ts";

export type ValueForm = "json" | "bytes" | "npy" | "csv" | "file" | "directory";
/** Those of one file. */
export type FileForm = Exclude<ValueForm, "directory">;

export interface Formed {
  readonly pieces: Pieces;
  readonly isText: boolean;
  /** Where it is known. */
  readonly bytes?: number;
}

/** @throws MfError FORMAT_UNSUPPORTED */
export function formed(records: Records, value: unknown, form: FileForm): Formed {
  switch (form) {
    case "json":
      return { pieces: [jsonText(value)], isText: true };
    case "csv": {
      const table = tableOf(value);
      if (table === undefined) throw unsupported(value, form);
      return { pieces: csvPieces(table), isText: true };
    }
    case "npy":
      return whole(encodeNpy(value));
    case "bytes":
    case "file": {
      const file = fileOf(value);
      if (file !== undefined)
        return { pieces: records.stream(file.id as Cid), isText: false, bytes: file.size };
      const data = form === "bytes" ? bytesOf(value) : undefined;
      if (data === undefined) throw unsupported(value, form);
      return whole(data);
    }
  }
}

/** What suits a value where nobody said: its bytes, where it is a file or bytes. */
export function formOf(value: unknown): FileForm {
  if (fileOf(value) !== undefined) return "file";
  return bytesOf(value) === undefined ? "json" : "bytes";
}

/** In a directory, where every artifact has a file of its own. */
export function directoryForm(value: unknown): FileForm {
  const form = formOf(value);
  if (form !== "json") return form;
  if (typeof value === "object" && value !== null && isTypedArray(value)) return "npy";
  return tableOf(value)?.isNamed === true ? "csv" : "json";
}

export const ENDINGS: Readonly<Record<Exclude<FileForm, "file">, string>> = {
  json: ".json",
  csv: ".csv",
  npy: ".npy",
  bytes: ".bin",
};

function whole(data: Uint8Array): Formed {
  return { pieces: [data], isText: false, bytes: data.length };
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value instanceof Uint8Array && shapeOf(value) === undefined ? value : undefined;
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(toJsonValue(value), undefined, 2) ?? "null"}\n`;
}

/** Which forms a value has, for whoever asked for another. */
function formsOf(value: unknown): string {
  const forms = ["json"];
  if (fileOf(value) !== undefined) forms.unshift("file", "bytes");
  else if (bytesOf(value) !== undefined) forms.push("bytes", "npy");
  else if (typeof value === "object" && value !== null && isTypedArray(value)) forms.push("npy");
  if (tableOf(value) !== undefined) forms.push("csv");
  return forms.join(", ");
}

function unsupported(value: unknown, form: string): MfError {
  const what =
    typeof value === "object" && value !== null && isTypedArray(value)
      ? typedArrayName(value)
      : Object.prototype.toString.call(value).slice(8, -1);
  return new MfError("FORMAT_UNSUPPORTED", {
    what: `A value of type ${what}${form === "csv" ? " that is no table" : ""}`,
    format: form === "file" ? "a stored file" : form,
    formats: formsOf(value),
  });
}
