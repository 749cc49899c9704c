/** What a pipeline has to do: written by `ci plan` in one job, read by the others. */
import * as z from "zod";
import { SpacktainersError } from "../util/errors.ts";
import { once } from "../util/once.ts";

/** Version of the document. */
const planVersion = 1;

const planSchema = once(() => {
  const text = z.string().max(4096);
  return z.object({
    version: z.literal(planVersion),
    arch: z.enum(["amd64", "arm64"]),
    /** The commit to compare with; null: the plan has everything that was requested. */
    since: text.nullable(),
    bases: z.array(z.object({ image: z.enum(["builder", "runtime"]), reasons: z.array(text) })).max(2),
    containers: z
      .array(
        z.object({
          name: text,
          arch: text,
          kind: z.enum(["spack", "def", "broken"]),
          reasons: z.array(text),
          /** Hashes of packages that have to be built only for it. */
          packages: z.array(text).max(100_000),
        }),
      )
      .max(10_000),
    unchanged: z.array(text).max(10_000),
    removed: z.array(text).max(10_000),
    stages: z
      .array(
        z.array(
          z.object({
            id: text,
            packages: z
              .array(z.object({ hash: text, label: text, container: text, after: z.array(text) }))
              .max(100_000),
          }),
        ),
      )
      .max(1000),
    /** Definitions for which Spack chose, relative to the root: their locks are next to this document. */
    locks: z.array(text).max(10_000),
  });
});

/** What has to be done for one architecture. */
export type CiPlan = Readonly<z.infer<ReturnType<typeof planSchema>>>;

/** The document. */
export function ciPlanText(plan: Omit<CiPlan, "version">): string {
  return `${JSON.stringify({ version: planVersion, ...plan }, undefined, 1)}\n`;
}

/**
 * Reads the document.
 *
 * @param file for places
 * @throws SpacktainersError DEFINITION_INVALID
 */
export function parseCiPlan(text: string, file: string): CiPlan {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SpacktainersError("DEFINITION_INVALID", "this is not the plan of a pipeline", {
      place: { file },
      hint: "`spacktainers ci plan --output FOLDER` writes one",
      cause,
    });
  }
  const read = planSchema().safeParse(value, { jitless: true });
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new SpacktainersError(
    "DEFINITION_INVALID",
    `this is not a plan of a pipeline of this version: ${issue?.path.map(String).join(".")} ${issue?.message}`,
    { place: { file }, hint: "`spacktainers ci plan --output FOLDER` writes one" },
  );
}

/**
 * What jobs of a GitHub workflow take from a plan, by the names of outputs: lists for matrices, as JSON.
 *
 * @param stages as many as the workflow has
 */
export function planOutputs(plan: CiPlan, stages: number): ReadonlyMap<string, string> {
  const packagesOf = (stage: number) =>
    (plan.stages[stage] ?? []).map(({ id, packages }) => ({ id, packages: shortList(packages) }));
  return new Map([
    ["bases", JSON.stringify(plan.bases.map(({ image }) => image))],
    ["containers", JSON.stringify(plan.containers.map(({ name }) => name))],
    ...Array.from(
      { length: stages },
      (_, stage) => [`packages-${stage + 1}`, JSON.stringify(packagesOf(stage))] as const,
    ),
  ]);
}

/** The first few packages of a job, for its title. */
export function shortList(packages: readonly { readonly label: string }[]): string {
  const names = packages.slice(-3).map(({ label }) => label.replace(/\/.*$/, ""));
  return packages.length > 3 ? `${names.join(", ")} and ${packages.length - 3} more` : names.join(", ");
}
