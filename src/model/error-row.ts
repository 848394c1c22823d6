/** The form of a row of the error table. */
export interface ErrorRow {
  readonly summary: string;
  readonly remedy: string;
  readonly exit: ExitCode;
}

/** 1 run failed, 2 usage or invalid flow, 3 not found, 4 no peer, 5 denied, 6 conflict, 7 data lost, 124 timeout, 130 interrupted. */
export type ExitCode = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 124 | 130;

export const row = (exit: ExitCode, summary: string, remedy: string): ErrorRow => ({
  exit,
  summary,
  remedy,
});
