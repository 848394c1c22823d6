/** Where functions of this thread begin in their script, as the engine itself knows it: not by searching for their text. */
import { Session } from "node:inspector";

export interface FunctionPlaceInScript {
  readonly url: string;
  /** From 0. */
  readonly line: number;
  /** From 0. */
  readonly column: number;
}

interface LocationValue {
  readonly scriptId: string;
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** The key under which functions are handed to the inspector for a moment. */
const SHELF = "meshflow.functions";

/** One answer for each function; undefined for bound and built-in functions. */
export function functionPlaces(
  functions: readonly unknown[],
): (FunctionPlaceInScript | undefined)[] {
  const session = new Session();
  const urls = new Map<string, string>();
  session.connect();
  session.on("Debugger.scriptParsed", ({ params }) => urls.set(params.scriptId, params.url));
  Reflect.set(globalThis, SHELF, functions);
  try {
    session.post("Debugger.enable");
    return functions.map((_, index) => {
      const location = locationOf(session, index);
      if (location === undefined) return undefined;
      return {
        url: urls.get(location.scriptId) ?? "",
        line: location.lineNumber,
        column: location.columnNumber,
      };
    });
  } finally {
    Reflect.deleteProperty(globalThis, SHELF);
    session.disconnect();
  }
}

/** Calls back before `post` returns: the session talks to its own thread. */
function locationOf(session: Session, index: number): LocationValue | undefined {
  let location: LocationValue | undefined;
  session.post(
    "Runtime.evaluate",
    { expression: `globalThis[${JSON.stringify(SHELF)}][${index}]` },
    (error, answer) => {
      const objectId = error === null ? answer.result.objectId : undefined;
      if (objectId === undefined) return;
      session.post(
        "Runtime.getProperties",
        { objectId, ownProperties: true },
        (problem, properties) => {
          if (problem !== null) return;
          const found = properties.internalProperties?.find(
            (item) => item.name === "[[FunctionLocation]]",
          );
          location = found?.value?.value as LocationValue | undefined;
        },
      );
    },
  );
  return location;
}
