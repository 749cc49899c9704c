/** A workflow of GitHub Actions, read: the parts that `ci run` carries out. */
import * as z from "zod";
import { parsePositionedYaml, plainValue } from "../definitions/positionedYaml.ts";
import { oneError, SpacktainersError } from "../util/errors.ts";
import { once } from "../util/once.ts";

const workflowSchema = once(() => {
  const scalar = z.union([z.string(), z.number(), z.boolean()]);
  const variables = z.record(z.string(), scalar);
  const step = z.object({
    id: z.string().optional(),
    name: z.string().optional(),
    if: z.union([z.string(), z.boolean()]).optional(),
    uses: z.string().optional(),
    run: z.string().optional(),
    with: variables.optional(),
    env: variables.optional(),
  });
  const job = z.object({
    name: z.string().optional(),
    needs: z.union([z.string(), z.array(z.string())]).optional(),
    if: z.union([z.string(), z.boolean()]).optional(),
    strategy: z.object({ matrix: z.record(z.string(), z.unknown()).optional() }).optional(),
    outputs: variables.optional(),
    env: variables.optional(),
    steps: z.array(step).max(1000),
  });
  return z.object({
    name: z.string().optional(),
    on: z.record(z.string(), z.unknown()),
    env: variables.optional(),
    jobs: z.record(z.string(), job),
  });
});

/** A workflow. */
export type Workflow = z.infer<ReturnType<typeof workflowSchema>>;
export type WorkflowJob = Workflow["jobs"][string];
export type WorkflowStep = WorkflowJob["steps"][number];

/**
 * Reads a workflow.
 *
 * @throws SpacktainersError, SpacktainersErrors DEFINITION_INVALID with the place
 */
export function parseWorkflow(text: string, file: string): Workflow {
  const { root, problems } = parsePositionedYaml(text, file, "DEFINITION_INVALID");
  if (root === undefined || problems.errors.length > 0) throw oneError(problems.errors);
  const read = workflowSchema().safeParse(plainValue(root), { jitless: true });
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new SpacktainersError(
    "DEFINITION_INVALID",
    `this workflow cannot be run here: ${issue?.path.map(String).join(".")}: ${issue?.message}`,
    { place: { file } },
  );
}

/**
 * The jobs of a workflow, each after those that it needs.
 *
 * @throws SpacktainersError DEFINITION_INVALID for a job that needs itself or one that there is not
 */
export function orderedJobs({ jobs }: Workflow, file: string): readonly (readonly [string, WorkflowJob])[] {
  const order: (readonly [string, WorkflowJob])[] = [];
  const done = new Set<string>();
  const visit = (id: string, above: readonly string[]): void => {
    if (done.has(id)) return;
    const job = jobs[id];
    if (job === undefined || above.includes(id))
      throw new SpacktainersError(
        "DEFINITION_INVALID",
        job === undefined ? `there is no job \`${id}\`` : `the job \`${id}\` needs itself`,
        { place: { file } },
      );
    for (const need of needsOf(job)) visit(need, [...above, id]);
    done.add(id);
    order.push([id, job]);
  };
  for (const id of Object.keys(jobs)) visit(id, []);
  return order;
}

/** Identifiers of the jobs that a job needs. */
export function needsOf({ needs }: WorkflowJob): readonly string[] {
  return needs === undefined ? [] : [needs].flat();
}
