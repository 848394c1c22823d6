/** `meshflow/client`: runs, tasks and artifacts from a script of one's own. docs/client.md. */
export { openClient } from "./library/client.ts";
export { isMfError, MfError } from "../model/errors.ts";
export type { ErrorCode } from "../model/error-table.ts";
export type { RunState, TaskCounts } from "../model/journal.ts";
export type { DiffOptions } from "./diff/diff.ts";
export type { Change, DiffItem, DiffReport, DiffSection } from "./diff/diff-report.ts";
export type { Artifact } from "./library/artifact.ts";
export type { Client, ClientOptions } from "./library/client.ts";
export type { Flow, RunsFilter } from "./library/flow.ts";
export type { Run, RunTags, WatchOptions } from "./library/run.ts";
export type { LogLine } from "./library/run-logs-of.ts";
export type { Step, TaskFilter } from "./library/step.ts";
export type { Task } from "./library/task.ts";
export type { RunStatus, StepStatus } from "./runs.ts";
export type { VersionList, VersionRow } from "./versions/list-versions.ts";
export type { VersionKind, VersionsQuery } from "./versions/version-query.ts";
