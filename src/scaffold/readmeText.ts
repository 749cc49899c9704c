import { configurationFileName } from "../definitions/configuration.ts";
import type { ScaffoldAnswers } from "./types.ts";

/** The text of a new repository's README: for those who use its containers and those who change them. */
export function readmeText({
  title,
  example,
  architectures,
  registries,
  isDemo,
  pipelines,
}: ScaffoldAnswers): string {
  const name = example?.name ?? "NAME";
  const arch = architectures[0] ?? "amd64";
  const lines = [
    `# ${title}`,
    "",
    "Containers built with Spack packages by Spacktainers.",
    "",
    "## Use a container",
    "",
    "```sh",
    "spacktainers list                     # list the containers",
    `spacktainers build ${name}`,
    `spacktainers run ${name} -- ${example?.command ?? "COMMAND"}`,
    `spacktainers sif ${name}              # a file for Apptainer`,
    "```",
    "",
    ...(registries[0] === undefined
      ? []
      : [`Published images are in \`${registries[0].url}\`; \`spacktainers pull ${name}\` fetches one.`, ""]),
    "On a cluster: describe it in `sites/` (the files there are examples), then",
    `\`spacktainers job ${name} --site SITE -- COMMAND\` writes its batch script, and \`spacktainers doctor SITE ${name}\` checks whether it can work.`,
    "",
    "## Add or change a container",
    "",
    "```sh",
    "spacktainers add simulation 'hdf5+mpi' 'py-numpy@1.26:'",
    "spacktainers check                    # report every mistake, with line and column",
    "spacktainers plan simulation          # show what a build would do",
    "spacktainers build simulation",
    "spacktainers lock simulation          # record the chosen packages for later builds",
    "```",
    "",
    "## Files and folders",
    "",
    "| path | what |",
    "|---|---|",
    `| \`${configurationFileName}\` | build caches, who may sign, the base, registries |`,
    `| \`container_definitions/${arch}/NAME/spack.yaml\` | a container: its Spack specs |`,
    "| `sites/` | clusters |",
    "| `builder/`, `runtime/` | Dockerfiles of base images, for builds by Podman: `spacktainers base build` |",
    "| `schema/` | JSON Schemas, with which editors complete and check files |",
    ...(pipelines === undefined ? [] : [pipelinesRow(pipelines)]),
    ...(isDemo ? ["| `demo/` | the demo's build cache; delete it when you have your own cache |"] : []),
    "",
  ];
  return lines.join("\n");
}

/** Where the pipelines are, and what keeps them true. */
function pipelinesRow(host: "github" | "gitlab"): string {
  const files = host === "github" ? "`.github/`" : "`.gitlab-ci.yml`, `.gitlab/`";
  return `| ${files} | pipelines: what changed is built, tested and published. \`spacktainers ci ${host}\` writes them again after a change of \`${configurationFileName}\` or of a container's name (\`add\` does so by itself), \`spacktainers ci check\` compares |`;
}
