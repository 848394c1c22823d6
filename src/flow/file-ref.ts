/**
 * A file as a step sees it: content that was stored when the run began (`p.file`, `flow.source`) or by `ctx.file()` in an earlier step.
 * It is named by its content, so a changed file re-runs exactly the steps that read it.
 */
export interface FileRef {
  /** Content id: two files with the same bytes have the same id. */
  readonly id: string;
  /** The last part of the path it came from; of a file of a directory or a glob its path in there (`cats/1.png`). */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The whole content as UTF-8 text. */
  text(): Promise<string>;
  /** The whole content. */
  bytes(): Promise<Uint8Array>;
  /** The content in pieces, for files larger than memory. */
  stream(): AsyncIterable<Uint8Array>;
  /** A read-only file with this content on this machine, for libraries that want a path. Gone when the attempt ends. */
  path(): Promise<string>;
}
