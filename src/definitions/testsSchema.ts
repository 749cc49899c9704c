/**
 * The format of a container's smoke tests: `test.yaml` beside its `spack.yaml`. A file of its own, since `spack.yaml` is Spack's format
 * and Spack refuses keys it does not know; beside the definition, since a container and its tests change together.
 */
import * as z from "zod";
import { once } from "../util/once.ts";

/** The whole file. */
export const testsSchema = once(() => {
  const text = z.string().min(1).max(4096);
  const pattern = z
    .string()
    .min(1)
    .max(4096)
    .refine((value) => {
      try {
        new RegExp(value, "m");
        return true;
      } catch {
        return false;
      }
    }, "must be a regular expression");
  const count = z.int().min(1).max(100_000);

  const test = z.strictObject({
    name: text.optional().describe("Name of the test in reports; default the command."),
    command: z
      .array(z.string().max(65_536))
      .min(1)
      .max(1000)
      .describe("Program and arguments, one word per item."),
    ranks: count
      .optional()
      .describe("Ranks of an MPI program; without it, the program is started once and alone."),
    nodes: count.optional().describe("As a Slurm job: nodes to spread the ranks over; default 1."),
    environment: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of a variable"),
        z.string().max(4096),
      )
      .optional(),
    timeout: z.int().min(1).max(86_400).optional().describe("Seconds; default 120."),
    status: z.int().min(0).max(255).optional().describe("Exit status that is expected; default 0."),
    stdout: pattern
      .optional()
      .describe("Regular expression that the standard output must match; `^` and `$` are ends of lines."),
    stderr: pattern.optional(),
    transport: pattern
      .optional()
      .describe(
        "Regular expression for the line in which MPI names its transport. MPICH is asked to print it.",
      ),
  });

  return z
    .strictObject({
      defaults: z
        .boolean()
        .optional()
        .describe(
          "Whether the usual tests run too: libraries of all programs are found, mpiexec starts ranks; default true.",
        ),
      tests: z.array(test).max(1000).optional(),
    })
    .describe("Smoke tests of a container.");
});

/** The file as written. */
export type TestsFile = z.input<ReturnType<typeof testsSchema>>;
/** One test as written. */
export type SmokeTest = NonNullable<TestsFile["tests"]>[number];
