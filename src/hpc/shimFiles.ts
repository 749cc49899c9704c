/** Programs of a container as commands of the machine: small shell scripts, and modules that put them on the search path. */
import { enrootScript } from "../run/enroot.ts";
import { SpacktainersError } from "../util/errors.ts";
import { shellWord } from "../util/shellQuote.ts";
import { misleadingVariables } from "./batchScript.ts";
import { containerCommand } from "./containerCommand.ts";
import type { Job } from "./job.ts";
import { luaModule, tclModule } from "./moduleFiles.ts";
import { enrootStart } from "./runtimes/enroot.ts";
import { isPath } from "./runtimes/enrootImage.ts";
import { rootDirectory, rootDirectoryScript } from "./runtimes/rootDirectory.ts";
import type { ContainerCommand } from "./runtimes/types.ts";
import { shellPath } from "./shellPath.ts";
import type { Shims } from "./shims.ts";

/** A file to write. */
export interface ShimFile {
  /** Below the folder. */
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** The line that marks a file as made by `shims`, without the sign that begins a comment. */
export function shimMark(name: string): string {
  return `Written by spacktainers shims for ${name}. It is written again; do not edit it.`;
}

/** The container that a file is a shim of; undefined: it is not ours. */
export function shimOwner(text: string): string | undefined {
  const head = text.split("\n", 3).join("\n");
  return /^(?:#|--) Written by spacktainers shims for (.+)\. It is written again; do not edit it\.$/m.exec(
    head,
  )?.[1];
}

/** The program that each runtime is; those that are not here are the runtime's own name. */
const runtimeProgram: Partial<Record<Job["runtime"], string>> = {
  native: "unshare",
  pyxis: "enroot",
  "container-engine": "enroot",
  charliecloud: "ch-run",
};

/**
 * The files, in the order in which they are to be written: nothing names one that is not there yet.
 * @throws SpacktainersError NOT_SUPPORTED for what a runtime cannot do
 */
export function shimFiles(shims: Shims): readonly ShimFile[] {
  const { name, folder, programs, version } = shims;
  const launcher = `libexec/${name}`;
  const mark = shimMark(name);
  const files: ShimFile[] = [];
  if (usesEnroot(shims.job))
    files.push({ path: `${launcher}.rc`, text: `#!/bin/sh\n# ${mark}\n${enrootScript}`, mode: 0o755 });
  if (shims.job.runtime === "native")
    files.push({ path: `${launcher}.root`, text: `# ${mark}\n${rootDirectoryScript}`, mode: 0o644 });
  files.push({ path: launcher, text: launcherScript(shims, mark), mode: 0o755 });
  for (const program of programs)
    files.push({
      path: `bin/${program}`,
      text: `#!/bin/sh\n# ${mark}\nexec /bin/sh ${shellWord(`${folder}/${launcher}`)} ${shellWord(program)} "$@"\n`,
      mode: 0o755,
    });
  files.push({ path: `modulefiles/${name}/${version}`, text: tclModule(shims, mark), mode: 0o644 });
  if (shims.lmod)
    files.push({ path: `modulefiles/${name}/${version}.lua`, text: luaModule(shims, mark), mode: 0o644 });
  return files;
}

function usesEnroot({ runtime }: Job): boolean {
  return runtime === "pyxis" || runtime === "container-engine";
}

/** Places of a machine's own system, which a container has its own of: no program finds there what somebody works on. */
const systemPlaces =
  "/ | /bin* | /boot* | /dev | /dev/* | /etc | /etc/* | /lib* | /opt | /opt/* | /proc* | /run | /sbin* | /sys | /sys/* | /usr | /usr/* | /var | /var/lib*";

function launcherScript(shims: Shims, mark: string): string {
  const { name, job } = shims;
  const program = runtimeProgram[job.runtime] ?? job.runtime;
  const { image } = job;
  const used = new Set(
    [...job.binds.flatMap(({ source, target }) => [source, target]), image].flatMap(variablesIn),
  );
  const lines = [
    "#!/bin/sh",
    `# ${mark}`,
    "# Arguments: a program of the container, and its arguments.",
    "program=$1",
    "shift",
    `fail() { echo "$program: $1" >&2; exit 127; }`,
    `command -v ${program} >/dev/null 2>&1 || fail ${shellWord(`${program}, which runs the container ${name}, is not on the search path here`)}`,
    ...[...used]
      .sort()
      .map(
        (variable) =>
          `[ -n "\${${variable}-}" ] || fail ${shellWord(`the container ${name} needs the variable ${variable}, which is not set here`)}`,
      ),
    ...imageTest(job, name),
    // What the user has set takes precedence.
    ...Object.entries(job.environment).map(
      ([variable, value]) => `[ -n "\${${variable}+set}" ] || export ${variable}=${shellWord(value)}`,
    ),
    `unset ${misleadingVariables.filter((variable) => job.environment[variable] === undefined && !job.inherited.includes(variable)).join(" ")}`,
    `case $PWD in`,
    `${systemPlaces})`,
    ...start(shims, { ...job, workdir: "/", binds: job.binds }),
    ";;",
    "*)",
    ...start(shims, {
      ...job,
      workdir: "$PWD",
      binds: [...job.binds, { source: "$PWD", target: "$PWD", readOnly: false }],
    }),
    ";;",
    "esac",
  ];
  return `${lines.join("\n")}\n`;
}

/** Lines that end with the program. */
function start(shims: Shims, job: Job): readonly string[] {
  // Whether ranks meet by PMIx is known when they start: its directory is shown whenever there is one.
  const { before, words } = commandOf(shims, { ...job, pmi: { plugin: "pmix", because: "" } });
  // The command is empty: its place is the program's.
  const [first = "", ...rest] = words.slice(0, -1);
  return [...before, [`exec ${first}`, ...rest, '"$program" "$@"'].join(" \\\n  ")];
}

function commandOf({ folder, name, imageEnvironment }: Shims, job: Job): ContainerCommand {
  if (job.runtime === "slurm")
    throw new SpacktainersError("NOT_SUPPORTED", "only `srun --container` starts Slurm's own containers", {
      hint: "name another runtime: --with apptainer",
    });
  if (usesEnroot(job)) return enrootStart(job, `${folder}/libexec/${name}.rc`);
  if (job.runtime === "native") return rootDirectory(job, `${folder}/libexec/${name}.root`, imageEnvironment);
  return containerCommand(job);
}

/** Lines that stop where the image is not there; nothing for runtimes that say it well themselves. */
function imageTest({ image, runtime }: Job, name: string): readonly string[] {
  const failure = (hint: string): string =>
    `fail "the image of the container ${name} is not there: $image${hint}"`;
  if (isPath(image)) return [`image=${shellPath(image)}`, `[ -e "$image" ] || ${failure("")}`];
  if (runtime === "podman" || runtime === "podman-hpc")
    return [
      `image=${shellWord(image)}`,
      `${runtime} image exists "$image" || ${failure(` (${runtime} pull $image)`)}`,
    ];
  return [];
}

function variablesIn(text: string): readonly string[] {
  return [...text.matchAll(/\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/g)].map(
    ([, bare, braced]) => bare ?? braced ?? "",
  );
}
