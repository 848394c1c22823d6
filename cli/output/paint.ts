/** Colours as functions; the identity where colours are off. */
export interface Paint {
  readonly bold: Style;
  readonly dim: Style;
  readonly red: Style;
  readonly green: Style;
  readonly yellow: Style;
  readonly cyan: Style;
}

export type Style = (text: string) => string;

export function createPaint(isOn: boolean): Paint {
  const style =
    (open: number, close: number): Style =>
    (text) =>
      isOn && text !== "" ? `\u001B[${open}m${text}\u001B[${close}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
    cyan: style(36, 39),
  };
}

/** The colour that a state of a run, step or task has everywhere. */
export function stateStyle(paint: Paint, state: string): Style {
  switch (state) {
    case "succeeded":
      return paint.green;
    case "failed":
      return paint.red;
    case "cancelled":
      return paint.yellow;
    case "running":
      return paint.cyan;
    default:
      return paint.dim;
  }
}
