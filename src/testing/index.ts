/** `meshflow/testing`: what users need to test their steps as the plain functions they are. */
export { stepFunction } from "./step-function.ts";
export { testContext } from "./test-context.ts";
export type { TestContext, TestContextSettings } from "./test-context.ts";
