/** One message on its way: what kind it is, to which request it belongs, what it is called, and its encoded body. */
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
