import { reportIssue } from "./configurationProblems.ts";
import { parsePositionedYaml, plainValue } from "./positionedYaml.ts";
import { inOrderOfPlace, type Problems } from "./problems.ts";
import { type TestsFile, testsSchema } from "./testsSchema.ts";

/** A container's tests, or what is wrong with the file. */
export interface TestsReading {
  /** Undefined when there are errors. */
  readonly tests: TestsFile | undefined;
  readonly problems: Problems;
}

/**
 * Reads the text of a `test.yaml`.
 * @param file for places
 */
export function readTestsFile(text: string, file: string): TestsReading {
  const { root, problems } = parsePositionedYaml(text, file, "DEFINITION_INVALID");
  if (root === undefined) return { tests: undefined, problems };
  const value = root.kind === "scalar" && root.value === null ? {} : plainValue(root);
  const parsed = testsSchema().safeParse(value);
  if (!parsed.success)
    for (const issue of parsed.error.issues)
      reportIssue(issue, root, { before: [], problems, schema: testsSchema(), code: "DEFINITION_INVALID" });
  return {
    tests: parsed.success && problems.errors.length === 0 ? parsed.data : undefined,
    problems: { errors: inOrderOfPlace(problems.errors), warnings: problems.warnings },
  };
}
