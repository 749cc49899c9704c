/** The format of `ci:` in `spacktainers.yaml`: the pipelines that `ci github` and `ci gitlab` write. */
import * as z from "zod";
import { once } from "../util/once.ts";

/** The section. */
export const ciSchema = once(() => {
  const line = z
    .string()
    .min(1)
    .max(1024)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    .regex(/^[^\u0000-\u001f\u007f]*$/, "must be on one line");
  const word = z
    .string()
    .max(64)
    .regex(/^[a-z0-9][a-z0-9_-]*$/i, "must be a name of letters, digits, `_` and `-`");
  const variable = z
    .string()
    .max(128)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of a variable");
  const label = line.regex(/^[^,]*$/, "must be one label");
  const list = <T extends z.ZodType>(item: T) => z.array(item).max(100);
  const runner = z
    .union([
      label,
      list(label).min(1),
      z.strictObject({
        codebuild: word.describe("Name of the CodeBuild project."),
        size: word.optional().describe("Size of its instances, such as `small`."),
      }),
    ])
    .describe("Label or labels of a runner, or a CodeBuild project.");
  const environment = z
    .strictObject({
      registries: list(line)
        .optional()
        .describe("URLs of the configured registries that it publishes to; default all."),
      tags: list(line).optional().describe("Tags in addition to the configured ones."),
      sif: line
        .optional()
        .describe("Where SIF files are published: `s3://BUCKET/PREFIX/`, or `oras://` with `{name}` in it."),
    })
    .describe("An environment that images are published to.");

  return z
    .strictObject({
      branch: line.optional().describe("The branch whose containers are published; default `main`."),
      install: list(line)
        .optional()
        .describe("Commands that install Spacktainers on a runner; default `npm install --global`."),
      program: line.optional().describe("Command that starts Spacktainers there; default `spacktainers`."),
      node: line.optional().describe("Version of Node.js; default 22."),
      runners: z
        .strictObject({ amd64: runner.optional(), arm64: runner.optional(), small: runner.optional() })
        .optional()
        .describe("GitHub: runners by architecture; `small`: for jobs that build nothing."),
      environments: z.record(word, environment).optional().describe("By name."),
      "pull-requests": word.optional().describe("Environment of pull requests; default the first."),
      main: word.optional().describe("Environment of the main branch; default the last."),
      rebase: z
        .union([line, z.literal(false)])
        .optional()
        .describe("When published images are put on the newest base, as five fields of cron; false: never."),
      catalogue: z
        .boolean()
        .optional()
        .describe(
          "Whether the catalogue of the containers is published on GitHub Pages or GitLab Pages; default false.",
        ),
      stages: z
        .int()
        .min(1)
        .max(20)
        .optional()
        .describe("GitHub: maximum number of stages that build missing packages; default 4."),
      test: z
        .boolean()
        .optional()
        .describe("Whether images are tested before they are published; default true."),
      oidc: z
        .strictObject({
          role: line.optional().describe("ARN of the role; default the variable AWS_ROLE_ARN."),
          region: word.optional().describe("Default the variable AWS_REGION."),
        })
        .optional()
        .describe("AWS by OpenID Connect instead of stored keys."),
      secrets: z
        .record(variable, line)
        .optional()
        .describe(
          "Secrets of your own workflows, each with its purpose. They are documented, but no generated job gets them.",
        ),
      gitlab: z
        .strictObject({
          image: line.optional().describe("Image of jobs; default `node:22-bookworm`."),
          tags: z
            .strictObject({ amd64: list(label).optional(), arm64: list(label).optional() })
            .optional()
            .describe("Tags of runners by architecture."),
        })
        .optional(),
    })
    .describe("Pipelines: what `ci github` and `ci gitlab` write.");
});
