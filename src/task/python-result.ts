/** What a Python step returned, against the schema of its `out` option. */
import { issuesText, type StandardSchema } from "../flow/standard-schema.ts";
import { MfError } from "../model/errors.ts";

/**
 * The result as the schema makes it; entries that the schema does not name are kept, since they were returned to be stored.
 * @throws MfError PYTHON_OUTPUT_INVALID
 */
export async function checkPythonResult(
  result: unknown,
  schema: StandardSchema | undefined,
  step: string,
): Promise<unknown> {
  if (schema === undefined) return result;
  const checked = await schema["~standard"].validate(result);
  if (checked.issues !== undefined) {
    throw new MfError("PYTHON_OUTPUT_INVALID", { step, reason: issuesText(checked.issues) });
  }
  const { value } = checked;
  if (typeof value !== "object" || value === null || value === result) return value;
  return { ...(result as object), ...value };
}
