/** CSCS' Container Engine: a file that describes the environment (EDF), and `srun --environment=FILE`. Source: docs.cscs.ch, EDF reference. */
import { SpacktainersError } from "../../util/errors.ts";
import { shellLine } from "../../util/shellQuote.ts";
import { tomlString } from "../../util/tomlString.ts";
import { type Job, jobVariables } from "../job.ts";
import { refusePaths } from "./bindPaths.ts";
import { enrootImage } from "./enrootImage.ts";
import type { ContainerCommand } from "./types.ts";

/** The engine gets values of the job's shell under this name, since it would take the image's value for the name itself. */
const alias = (name: string): string => `SPACKTAINERS_${name}`;

/** Writes the file for the time of the job beside where it was submitted, which all nodes see. */
export function containerEngine(job: Job): ContainerCommand {
  const inherited = jobVariables(job).filter((name) => job.inherited.includes(name));
  return {
    before: [
      "# What the Container Engine is to make; it fills in the variables.",
      `environment=$SLURM_SUBMIT_DIR/.spacktainers-$SLURM_JOB_ID.toml`,
      `trap 'rm -f "$environment"' EXIT`,
      ...inherited.map((name) => `export ${alias(name)}="\${${name}-}"`),
      `cat >"$environment" <<'END_OF_ENVIRONMENT'`,
      ...environmentFile(job).trimEnd().split("\n"),
      "END_OF_ENVIRONMENT",
    ],
    srun: ['--environment="$environment"'],
    words: [shellLine(job.command)],
    sbatch: [],
  };
}

/**
 * The environment's definition, as TOML.
 * @throws SpacktainersError NOT_SUPPORTED for what the engine cannot do
 */
export function environmentFile(job: Job): string {
  if (job.gpu === "rocm")
    throw new SpacktainersError("NOT_SUPPORTED", "the Container Engine has a hook for NVIDIA's drivers only");
  if (job.plainHttp)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "the Container Engine has no option for a registry without TLS",
      { hint: "import the image to a squashfs file: `spacktainers pull --with enroot`" },
    );
  const mounts = job.binds.map((bind) => {
    refusePaths(bind, /[:]/, "the Container Engine cannot mount", "a colon");
    return `${expanded(bind.source)}:${expanded(bind.target)}${bind.readOnly ? ":ro" : ""}`;
  });
  const env: (readonly [string, string])[] = [
    ...(job.gpu === "nvidia"
      ? ([
          ["NVIDIA_VISIBLE_DEVICES", "all"],
          ["NVIDIA_DRIVER_CAPABILITIES", "compute,utility"],
        ] as const)
      : []),
    ...jobVariables(job).map(
      (name) =>
        [
          name,
          job.inherited.includes(name)
            ? `\${${alias(name)}:-}`
            : (job.environment[name] ?? "").replaceAll("$", "$$$$"),
        ] as const,
    ),
  ];
  const lines = [
    `image = ${tomlString(expanded(enrootImage(job.image)))}`,
    `workdir = ${tomlString(expanded(job.workdir))}`,
    "entrypoint = false",
    "mounts = [",
    ...mounts.map((mount) => `  ${tomlString(mount)},`),
    "]",
    ...(env.length > 0 ? ["", "[env]"] : []),
    ...env.map(([name, value]) => `${name} = ${tomlString(value)}`),
    ...(Object.keys(job.annotations).length > 0 ? ["", "[annotations]"] : []),
    ...Object.entries(job.annotations).map(([name, value]) => `${name} = ${tomlString(value)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Variables as the engine writes them, `${NAME}`; other dollar signs stand for themselves. */
function expanded(text: string): string {
  return text.replaceAll(/\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})|\$/g, (_found, bare, braced) => {
    const name: unknown = bare ?? braced;
    return name === undefined ? "$$" : `\${${String(name)}}`;
  });
}
