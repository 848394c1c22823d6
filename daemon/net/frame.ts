/**
 * One message on its way: what kind it is, to which request it belongs, what it is called, and its encoded body.
 *
 *     u32 length of all that follows | u8 kind | u32 id | u8 length of the name | name | body
 *
 * A frame that is bigger than a piece travels as the bodies of `piece` frames, which are a stream of frames of their own: small
 * ones go between its pieces.
 */
export type Frame =
  | { readonly k: "request"; readonly id: number; readonly name: string; readonly body: Uint8Array }
  | { readonly k: "answer"; readonly id: number; readonly body: Uint8Array }
  | { readonly k: "error"; readonly id: number; readonly body: Uint8Array }
  | { readonly k: "notice"; readonly name: string; readonly body: Uint8Array };

/** What is known of a frame before its body is here. */
export interface FrameHeader {
  readonly k: Frame["k"];
  readonly id: number;
  readonly name: string;
}

/** How much of a body may come. One that is not wanted is skipped and arrives empty. */
export interface BodyVerdict {
  readonly bytesMax: number;
  readonly isWanted: boolean;
}

/** The position is the kind's number. */
export const WIRE_KINDS = [
  "hello",
  "welcome",
  "refusal",
  "request",
  "answer",
  "error",
  "notice",
  "piece",
  "ping",
  "pong",
  "bye",
] as const;
export type WireKind = (typeof WIRE_KINDS)[number];

/** Any frame as it is on the wire. */
export interface WireFrame {
  readonly k: WireKind;
  readonly id: number;
  readonly name: string;
  readonly body: Uint8Array;
}

export type WireHeader = Omit<WireFrame, "body">;

export const EMPTY = new Uint8Array();

export function wireFrame(frame: Frame): WireFrame {
  switch (frame.k) {
    case "request":
      return frame;
    case "notice":
      return { ...frame, id: 0 };
    case "answer":
    case "error":
      return { ...frame, name: "" };
  }
}

/** Undefined for what belongs to the link itself. */
export function messageFrame(frame: WireFrame): Frame | undefined {
  const { k, id, name, body } = frame;
  switch (k) {
    case "request":
      return { k, id, name, body };
    case "answer":
    case "error":
      return { k, id, body };
    case "notice":
      return { k, name, body };
    case "hello":
    case "welcome":
    case "refusal":
    case "piece":
    case "ping":
    case "pong":
    case "bye":
      return undefined;
  }
}
