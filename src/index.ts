/** The public API of `meshflow`: what a flow file imports. */
export { flow } from "./flow/flow.ts";
export { collect, each, from } from "./flow/wiring.ts";
export { p } from "./flow/params.ts";
export type { Ctx } from "./flow/context.ts";
export type { FileRef } from "./flow/file-ref.ts";
export type { Flow, FlowSettings, ParamShape, ParamValues } from "./flow/flow.ts";
export type { Each, Handle, Input, Inputs, Ref, StepHandle, Values } from "./flow/handle.ts";
export type { Param } from "./flow/params.ts";
export type { PythonSettings, Scope } from "./flow/scope.ts";
export type { StandardSchema } from "./flow/standard-schema.ts";
export type { Duration, Size, StepSettings } from "./flow/step-settings.ts";
export type { ArtifactTypes, Storable } from "./flow/storable.ts";
