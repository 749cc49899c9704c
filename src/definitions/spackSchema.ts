/** The format of `spack:` in `spacktainers.yaml`: which real Spack builds what no cache has, and how. */
import * as z from "zod";
import { once } from "../util/once.ts";
import { builderEngines, executorNames } from "./executorNames.ts";
import { siteSchema } from "./siteSchema.ts";

/** The section. */
export const spackSchema = once(() => {
  const text = z
    .string()
    .min(1)
    .max(4096)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    .regex(/^[^\u0000-\u001f\u007f]*$/, "must be on one line");
  const list = <T extends z.ZodType>(item: T) => z.array(item).max(1000);
  const gitUrl = text.regex(/^(?!-)(?!ext::)/, "must be the address of a git repository, or a folder");
  const ref = z
    .string()
    .max(256)
    .regex(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what git refuses
      /^(?!-)(?!.*\.\.)[^\u0000-\u0020\u007f~^:?*[\\]+$/,
      "must be the name of a branch or tag, or a commit",
    );
  const commit = z.string().regex(/^[0-9a-f]{40}$/, "must be the 40 hexadecimal digits of a commit");
  const folder = text.regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))/, "must be a folder inside the repository");

  const recipes = z.union([
    text,
    z.strictObject({
      url: gitUrl.describe("Git repository, or a folder relative to this file, which is used as it is."),
      ref: ref.optional().describe("Branch, tag or commit."),
      commit: commit.optional().describe("Commit: fetched without first resolving a branch or tag."),
      path: folder.optional().describe("Folder of the recipe repository inside: the one with `repo.yaml`."),
      paths: list(folder).min(1).optional().describe("Several such folders, the last preferred."),
    }),
  ]);

  const jobText = text.max(256).regex(/^[^\s-]\S*$/, "must be one word");

  const external = z.union([
    z
      .string()
      .max(256)
      .regex(/^[a-z0-9][a-z0-9_-]*$/, "must be the name of a package, or a mapping with `spec` and `prefix`"),
    z.strictObject({
      spec: text.describe("Its spec, such as `cmake@3.25.1`."),
      prefix: text.regex(/^\//, "must be an absolute path").describe("Its prefix, such as `/usr`."),
    }),
  ]);

  return z.strictObject({
    build: z
      .boolean()
      .optional()
      .describe(
        "Whether `build` may compile packages that no cache has; default true if there is any key here other than `dialect` and `facts`.",
      ),
    url: gitUrl
      .optional()
      .describe("Git repository of Spack, or a folder relative to this file; default Spack's own on GitHub."),
    ref: ref.optional().describe("Branch, tag or commit; default the commit of v1.1.0."),
    commit: commit.optional().describe("Commit: fetched without first resolving a branch or tag."),
    dialect: z
      .enum(["0.x", "1.x"])
      .optional()
      .describe("Generation of the spec language in definitions; default either."),
    facts: text
      .optional()
      .describe(
        "File with default values of variants, exported from recipes by scripts/export-recipe-facts.py, relative to this file.",
      ),
    repos: list(recipes)
      .optional()
      .describe(
        "Recipe repositories, the last preferred; beneath them, unless one of them has its namespace, `builtin`.",
      ),
    mirrors: list(text)
      .optional()
      .describe(
        "Mirrors of sources, asked before the upstream addresses: URLs, or folders relative to this file.",
      ),
    wheels: text
      .optional()
      .describe(
        "Where the solver's Python packages come from: a folder of wheels, or the URL of an index; default PyPI.",
      ),
    padded_length: z
      .int()
      .min(0)
      .max(512)
      .optional()
      .describe(
        "Length of the install tree's path while building, so that packages can be moved; default 128.",
      ),
    jobs: z
      .int()
      .min(1)
      .max(1024)
      .optional()
      .describe("Processes a package may use to compile; default by cores."),
    executor: z
      .enum(executorNames)
      .optional()
      .describe(
        "Where packages are built: `host`, on this machine; `container`, in the builder image; `slurm`, as jobs. Default `container` if `builder` names an image, else `host`.",
      ),
    builder: text
      .optional()
      .describe(
        "Builder image, which packages are chosen and built in: a reference, or a SIF file, OCI layout, OCI archive or directory with a root relative to this file; default `local_builder` with the executor `container`.",
      ),
    engine: z
      .enum(builderEngines)
      .optional()
      .describe(
        "Container engine that runs the builder image; default the first one that is installed and works.",
      ),
    slurm: z
      .strictObject({
        partition: jobText.optional().describe("Partition of jobs."),
        account: jobText.optional().describe("Account (project) to charge."),
        qos: jobText.optional().describe("Quality of service."),
        constraint: jobText.optional().describe("Feature that nodes must have."),
        time: siteSchema().shape.time.describe(
          "Minimum time limit of a job; a job requests more if earlier builds of its package took longer.",
        ),
        memory: siteSchema().shape.memory.describe(
          "Minimum memory of a job; a job requests more if earlier builds of its package needed more.",
        ),
        cores: z
          .int()
          .min(1)
          .max(1024)
          .optional()
          .describe("Cores of a job; default those of the smallest node, at most 8."),
        poll: z
          .number()
          .min(1)
          .max(3600)
          .optional()
          .describe(
            "Minimum number of seconds between two queries to Slurm, each about all jobs; default 10.",
          ),
        args: list(text.regex(/^--?[A-Za-z]/, "must be an option of sbatch"))
          .optional()
          .describe("More options for sbatch, such as `--exclusive`."),
      })
      .optional()
      .describe("Jobs of the executor `slurm`."),
    compilers: list(text)
      .optional()
      .describe("Which of the machine's compilers to use, such as `gcc@12`; default all."),
    externals: list(external)
      .optional()
      .describe(
        "Packages of the machine to use instead of building them: names of packages that Spack can detect, such as `opengl`, or `{ spec, prefix }`.",
      ),
  });
});
