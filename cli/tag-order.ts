/** What a line of `mf tag` orders: a run's tags given and taken off, or a list. Metaflow's words in front are read too. */
import { MfError } from "../src/model/errors.ts";

export interface TagWish {
  readonly remove?: boolean;
  readonly replace?: readonly string[];
}

export interface TagOrder {
  /** A run or a flow; undefined: everything. */
  readonly on?: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** No run is named so: `flow/id` has a slash. */
const VERBS: Readonly<Record<string, "add" | "remove" | "list" | "replace">> = {
  add: "add",
  rm: "remove",
  remove: "remove",
  ls: "list",
  list: "list",
  replace: "replace",
};

/** @throws MfError USAGE */
export function readTagOrder(
  given: readonly string[],
  { remove = false, replace = [] }: TagWish,
): TagOrder {
  const [first = "", ...rest] = given;
  const verb = rest.length > 0 && Object.hasOwn(VERBS, first) ? VERBS[first] : undefined;
  const [on, ...tags] = verb === undefined ? given : rest;
  const wanted = on === undefined ? {} : { on };
  const isRemoving = remove || verb === "remove";
  const fault = faultOf({ verb, on, tags, replace, isRemoving });
  if (fault !== undefined) throw new MfError("USAGE", { message: fault, command: "tag" });
  if (isRemoving) return { ...wanted, add: [], remove: tags };
  if (verb === "replace") return { ...wanted, add: tags.slice(1), remove: tags.slice(0, 1) };
  return { ...wanted, add: tags, remove: replace };
}

interface Line {
  readonly verb: string | undefined;
  readonly on: string | undefined;
  readonly tags: readonly string[];
  readonly replace: readonly string[];
  readonly isRemoving: boolean;
}

function faultOf({ verb, on = "RUN", tags, replace, isRemoving }: Line): string | undefined {
  if (isRemoving && replace.length > 0) return "--remove and --replace exclude each other.";
  if (verb === "replace" && tags.length < 2) return "Write mf tag replace RUN OLD NEW.";
  if (verb === "list" && tags.length > 0) return "Write mf tag list RUN.";
  if (tags.length > 0)
    return on.includes("/")
      ? undefined
      : `Tags are given to a run: ${on}/latest, or ${on}/ID (\`mf ls\` lists runs).`;
  if (isRemoving) return `Which tags? mf tag ${on} TAG --remove`;
  return replace.length > 0 ? `Which tag instead? mf tag ${on} NEW --replace OLD` : undefined;
}
