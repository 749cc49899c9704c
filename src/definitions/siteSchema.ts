/**
 * The format of a site: an entry of `sites:` in `spacktainers.yaml`, or a file `sites/<name>.yaml`. The JSON Schema for editors
 * (`schema/site.json`) is made from it by `scripts/schema.mjs`.
 */
import * as z from "zod";
import { once } from "../util/once.ts";
import { siteRuntimes } from "./siteConfiguration.ts";

/** One site. */
export const siteSchema = once(() => {
  const text = z
    .string()
    .min(1)
    .max(4096)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    .regex(/^[^\u0000-\u001f\u007f]*$/, "must be on one line");
  /** Several lines, as a block of YAML has them. */
  const lines = z
    .string()
    .min(1)
    .max(65_536)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    .regex(/^[^\u0000-\u0009\u000b-\u001f\u007f]*$/, "must be lines of text");
  const name = z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be a name of letters, digits, `.`, `_` and `-`");
  const list = <T extends z.ZodType>(item: T) => z.array(item).max(1000);
  /** One item may stand without its brackets. */
  const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, list(item)]);
  const glibcVersion = z.string().regex(/^\d{1,3}\.\d{1,3}$/, 'must be a version such as "2.31", in quotes');
  const versions = z
    .string()
    .regex(
      /^(?:\d+(?:\.\d+)*)?(?::(?:\d+(?:\.\d+)*)?)?$/,
      'must be a version or a range such as "3.1:3.4" or ":1.19", both ends included, in quotes',
    )
    .min(1);
  const count = z.int().min(1).max(10_000_000);

  /** How a job's request is written for Slurm: parts of the constraint language included. */
  const slurmValue = z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[\w@%+=:,./&|*()[\]!~-]+$/, "must be one word as Slurm takes it");

  const replaceMpi = z
    .strictObject({
      family: z
        .enum(["mpich", "openmpi"])
        .optional()
        .describe("What the container's MPI must be; default `mpich`."),
      soname: z
        .string()
        .regex(/^lib[\w+-]+\.so(?:\.\d+)*$/, "must be the name of a shared library, such as libmpi.so.12")
        .optional()
        .describe("The name under which the container's programs look for MPI; default `libmpi.so.12`."),
      abi: z
        .string()
        .regex(/^\d+(?:\.\d+){0,2}$/, 'must be a version such as "12.2.0", in quotes')
        .optional()
        .describe(
          "Version in the file name of the host's library; a container's major number must be the same.",
        ),
      versions: versions
        .optional()
        .describe(
          "Versions of the container's MPI that work. Others are refused, unless `not-versions` says which do not.",
        ),
      "not-versions": versions
        .optional()
        .describe(
          "Versions of the container's MPI that are known not to work. Versions that neither key names give a warning.",
        ),
      libfabric: versions
        .optional()
        .describe("Versions of a libfabric in the container that are known to work."),
      glibc: glibcVersion
        .optional()
        .describe("The newest glibc that the host's libraries need; default the host's own."),
      "not-bundled": oneOrMore(
        z.string().regex(/^lib[\w+.-]+$/, "must be the name of a library, such as libfabric"),
      )
        .optional()
        .describe("Libraries that the container must not have, because the host's replace them."),
    })
    .describe("Rule by which the host's MPI replaces the container's (`sarus run --mpi`).");

  const processor = z.strictObject({
    target: name.describe("Microarchitecture, by Spack's names."),
    partition: name.optional().describe("Only in this partition."),
    constraint: name.optional().describe("Only for nodes with this feature."),
  });

  return z
    .strictObject({
      description: text.optional(),
      runtime: z.enum(siteRuntimes).optional().describe("Runtime of containers; default `apptainer`."),
      mpi: z
        .union([name, z.array(name).min(1).max(20)])
        .optional()
        .describe("Plug-ins of `srun --mpi=list`, the preferred one first; default `pmi2`."),
      "replace-mpi": replaceMpi.optional(),
      target: name.optional().describe("Microarchitecture of all nodes; `targets` where they differ."),
      targets: list(processor).optional(),
      glibc: glibcVersion.optional().describe("The host's C library."),
      binds: oneOrMore(text)
        .optional()
        .describe(
          "`SOURCE[:TARGET[:ro]]`: paths of the host to mount in containers. The job expands `$NAME` when it runs.",
        ),
      workdir: text
        .optional()
        .describe("Directory to start programs in; default the directory of submission."),
      image: text
        .optional()
        .describe(
          "Place of images: a path of SIF or squashfs files, or a registry reference. `{name}`, `{version}` and `{arch}` stand for the container's.",
        ),
      modules: oneOrMore(slurmValue).optional().describe("Environment modules to load; one, or a list."),
      prologue: z
        .union([lines, list(text)])
        .optional()
        .describe("Lines of shell before the program is started: a list, or a text."),
      environment: z
        .record(
          z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of a variable"),
          z.string().max(4096),
        )
        .optional()
        .describe("Variables for the program."),
      account: slurmValue.optional(),
      partition: slurmValue.optional(),
      qos: slurmValue.optional(),
      constraint: slurmValue.optional(),
      nodes: count.optional(),
      "tasks-per-node": count.optional(),
      "cpus-per-task": count.optional(),
      time: z
        .string()
        .regex(
          /^(?:\d+|\d+:\d{1,2}(?::\d{1,2})?|\d+-\d{1,2}(?::\d{1,2}){0,2}|UNLIMITED)$/i,
          'must be a time limit such as "04:00:00", in quotes',
        )
        .optional(),
      memory: z
        .string()
        .regex(/^\d+[KMGT]?$/, "must be an amount of memory per node, such as 64G")
        .optional(),
      exclusive: z.boolean().optional(),
      "gpus-per-node": z
        .union([
          count,
          z
            .string()
            .regex(/^(?:[\w.-]+:)?\d+$/, "must be a number of GPUs, such as 4, or with a type: a100:4"),
        ])
        .optional()
        .describe("GPUs on each node, for jobs with `--gpu`; default 1."),
      "gpu-driver": z
        .string()
        .regex(/^\d{1,4}(?:\.\d{1,4}){0,2}$/, 'must be a version such as "535.104.05", in quotes')
        .optional()
        .describe("Version of NVIDIA's driver on the nodes."),
      sbatch: oneOrMore(text)
        .optional()
        .describe(
          "Other options of `sbatch`, such as `hint=nomultithread` or `--gres=nvme:1`: one, or a list. `hetjob` begins another component of a heterogeneous job.",
        ),
      annotations: z
        .record(
          z.string().regex(/^[\w-]+(?:\.[\w-]+)*$/, "must be a name such as com.hooks.cxi.enabled"),
          text,
        )
        .optional()
        .describe("With `runtime: container-engine`: annotations, which control its hooks."),
      "share-namespaces": z
        .boolean()
        .optional()
        .describe(
          "Ranks of a node share a user namespace (`apptainer exec --sharens`, `ch-run --join`), so that they can read one another's memory. For Apptainer without set-user-ID and Charliecloud, and for MPI programs only: a rank that ends before the others have started prevents them from starting.",
        ),
    })
    .describe("A cluster on which containers run.");
});
