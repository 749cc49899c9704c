/** A pipeline of GitLab, read: the parts that `ci run` carries out. */
import * as z from "zod";
import { parsePositionedYaml, plainValue } from "../definitions/positionedYaml.ts";
import { oneError, SpacktainersError } from "../util/errors.ts";
import { once } from "../util/once.ts";
import { type RuleVariables, ruleHolds } from "./gitlabRules.ts";

const schemas = once(() => {
  const scalar = z.union([z.string(), z.number(), z.boolean()]);
  const variables = z.record(z.string(), z.union([scalar, z.object({ value: scalar.optional() })]));
  const rule = z.object({
    if: z.string().optional(),
    when: z.enum(["never", "on_success", "always"]).optional(),
    variables: variables.optional(),
  });
  const script = z.array(z.string()).max(1000);
  const job = z.object({
    stage: z.string(),
    needs: z.array(z.union([z.string(), z.object({ pipeline: z.string(), job: z.string() })])).optional(),
    rules: z.array(rule).optional(),
    variables: variables.optional(),
    before_script: script.optional(),
    script: script.optional(),
    trigger: z.object({ include: z.array(z.object({ artifact: z.string(), job: z.string() })) }).optional(),
    artifacts: z.object({ paths: z.array(z.string()).optional() }).optional(),
  });
  const head = z.object({
    stages: z.array(z.string()),
    variables: variables.optional(),
    workflow: z.object({ rules: z.array(rule).optional() }).optional(),
    default: z.object({ before_script: script.optional() }).optional(),
  });
  return { head, job };
});

type Schemas = ReturnType<typeof schemas>;
export type GitlabJob = z.infer<Schemas["job"]>;
type Rule = NonNullable<GitlabJob["rules"]>[number];

/** A pipeline: its jobs by name, in the order of their stages. */
export type GitlabFile = z.infer<Schemas["head"]> & { readonly jobs: ReadonlyMap<string, GitlabJob> };

/**
 * Reads a pipeline.
 *
 * @throws SpacktainersError, SpacktainersErrors DEFINITION_INVALID with the place
 */
export function parseGitlabFile(text: string, file: string): GitlabFile {
  const { root, problems } = parsePositionedYaml(text, file, "DEFINITION_INVALID");
  if (root === undefined || problems.errors.length > 0) throw oneError(problems.errors);
  const whole = plainValue(root);
  const read = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
    const result = schema.safeParse(value, { jitless: true });
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw new SpacktainersError(
      "DEFINITION_INVALID",
      `this pipeline cannot be run here: ${[what, ...(issue?.path ?? [])].map(String).join(".")}: ${issue?.message}`,
      { place: { file } },
    );
  };
  const { head, job } = schemas();
  const pipeline = read(head, whole, "");
  const jobs = Object.entries(whole as Record<string, unknown>)
    .filter(([name]) => !["stages", "variables", "workflow", "default"].includes(name))
    .map(([name, value]) => [name, read(job, value, name)] as const);
  jobs.sort(([, a], [, b]) => pipeline.stages.indexOf(a.stage) - pipeline.stages.indexOf(b.stage));
  return { ...pipeline, jobs: new Map(jobs) };
}

/** The rule that counts: the first that holds; undefined: none does, or it says never. Without rules everything runs. */
export function rulingOf(rules: readonly Rule[] | undefined, variables: RuleVariables): Rule | undefined {
  if (rules === undefined) return {};
  const found = rules.find((rule) => rule.if === undefined || ruleHolds(rule.if, variables));
  return found?.when === "never" ? undefined : found;
}

/** Variables with those that their values name put in. */
export function withVariables(
  before: RuleVariables,
  added: GitlabJob["variables"],
): Readonly<Record<string, string | undefined>> {
  const all: Record<string, string | undefined> = { ...before };
  for (const [name, written] of Object.entries(added ?? {})) {
    const value = typeof written === "object" ? (written.value ?? "") : written;
    all[name] = String(value).replace(
      /\$(\w+)|\$\{(\w+)\}/g,
      (_, a?: string, b?: string) => all[a ?? b ?? ""] ?? "",
    );
  }
  return all;
}
