/** Turns decisions into the files of a new repository. Reads and writes nothing. */
import { configurationFileName } from "../definitions/configuration.ts";
import { configurationJsonSchema, siteJsonSchema, testsJsonSchema } from "../definitions/jsonSchema.ts";
import { configurationText } from "./configurationText.ts";
import { definitionText } from "./definitionText.ts";
import { readmeText } from "./readmeText.ts";
import type { ScaffoldAnswers, ScaffoldFile } from "./types.ts";

/** What version control is not to keep: images, files of batch jobs, private keys. */
export const ignoredPatterns: readonly string[] = [
  "/dist/",
  "*.sif",
  "/slurm-*.out",
  "/keys/*.key",
  "/keys/*.pem",
];

/** Where a container's definition is, relative to the repository. */
export function definitionPath(arch: string, name: string): string {
  return `container_definitions/${arch}/${name}/spack.yaml`;
}

/**
 * The files of a new repository that are made of words: configuration, schemas, README, `.gitignore`, and the first container for
 * each architecture.
 */
export function repositoryFiles(answers: ScaffoldAnswers): readonly ScaffoldFile[] {
  const { architectures, example } = answers;
  return [
    { path: configurationFileName, content: configurationText(answers) },
    { path: "schema/spacktainers.json", content: configurationJsonSchema() },
    { path: "schema/site.json", content: siteJsonSchema() },
    { path: "schema/test.json", content: testsJsonSchema() },
    { path: ".gitignore", content: `${ignoredPatterns.join("\n")}\n` },
    { path: "README.md", content: readmeText(answers) },
    ...architectures.map(
      (arch): ScaffoldFile =>
        example === undefined
          ? { path: `container_definitions/${arch}/.gitkeep`, content: "" }
          : {
              path: definitionPath(arch, example.name),
              content: definitionText(example.specs, [
                "The first spec gives the container its version.",
                "",
                `  spacktainers build ${example.name}`,
                ...(example.command === undefined
                  ? []
                  : [`  spacktainers run ${example.name} -- ${example.command}`]),
              ]),
            },
    ),
  ];
}
