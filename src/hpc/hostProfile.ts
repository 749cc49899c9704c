/** What this machine has to run containers with. */
import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { architectures } from "../definitions/configuration.ts";
import { couldShare } from "../run/apptainerSharing.ts";
import { executionOf } from "../run/emulator.ts";
import { ownIdentity } from "../run/identity.ts";
import { machinePlatform } from "../run/machinePlatform.ts";
import { namespaceAbilities } from "../run/namespaceAbilities.ts";
import { parseMpiList } from "../slurm/slurm.ts";
import { processorOf } from "../spec/hostProcessor.ts";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { findProgram, lastLine, runTool } from "../util/tool.ts";
import { checkGpuHost, type GpuDrivers } from "./checkGpu.ts";
import { type Finding, ok } from "./finding.ts";
import { readGpuDrivers } from "./gpuDrivers.ts";
import { hostGlibc } from "./hostGlibc.ts";

/** A container runtime of this machine. */
export interface HostRuntime {
  readonly name: string;
  readonly path: string;
  readonly version: string;
  /** Why it does not work, or undefined. */
  readonly trouble: string | undefined;
  /** Each container is in a user namespace of its own, unless `--sharens` says otherwise: Apptainer without set-user-ID. */
  readonly separatesRanks: boolean;
}

export interface HostProfile {
  readonly architecture: string;
  /** Architectures whose programs the kernel starts in an emulator. */
  readonly emulated: readonly string[];
  /** Microarchitecture, by Spack's names. */
  readonly processor: string | undefined;
  readonly glibc: string | undefined;
  readonly runtimes: readonly HostRuntime[];
  /** Our own runner: what hinders it, or undefined; and whether the kernel stacks directories for it. */
  readonly namespaces: {
    readonly trouble: string | undefined;
    readonly hint: string | undefined;
    readonly overlay: boolean;
  };
  /** Mounting SIF files without rights of root. */
  readonly squashfuse: { readonly path: string | undefined; readonly fuse: boolean };
  readonly gpu: GpuDrivers;
  /** Undefined: this is no machine of a cluster. */
  readonly slurm:
    | {
        readonly version: string;
        readonly plugins: readonly string[];
        readonly trouble: string | undefined;
        /** Runtimes that are options of its `srun`. */
        readonly containers: readonly SrunRuntime[];
      }
    | undefined;
}

/** Runtimes that `srun` itself starts, and the option by which each is known. */
const srunOptions = {
  pyxis: "--container-image",
  "container-engine": "--environment",
  slurm: "--container",
} as const;
export type SrunRuntime = keyof typeof srunOptions;

/** Programs of runtimes, where they are not called like them. */
const programs: Readonly<Record<string, string>> = { charliecloud: "ch-run" };

/** A question that a working runtime answers, without a container. */
const questions: Readonly<Record<string, readonly string[]>> = {
  apptainer: ["version"],
  singularity: ["version"],
  sarus: ["images"],
  podman: ["info", "--format", "{{.Host.OCIRuntime.Name}}"],
  docker: ["version", "--format", "{{.Server.Version}}"],
  "podman-hpc": ["info", "--format", "{{.Host.OCIRuntime.Name}}"],
  enroot: ["version"],
  shifter: ["--help"],
  charliecloud: ["--version"],
};

/** Looks at this machine; nothing is started but the tools' own questions. */
export async function readHostProfile(): Promise<HostProfile> {
  const { architecture } = machinePlatform();
  const family = { amd64: "x86_64", arm64: "aarch64" }[architecture] as "x86_64" | "aarch64" | undefined;
  const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const runtimes = await Promise.all(Object.keys(questions).map(readRuntime));
  const emulated: string[] = [];
  for (const one of architectures) if ((await executionOf(one)).kind === "emulated") emulated.push(one);
  return {
    architecture,
    emulated,
    processor: family === undefined || cpuinfo === "" ? undefined : processorOf(cpuinfo, family),
    glibc: hostGlibc(),
    runtimes: runtimes.filter((one) => one !== undefined),
    namespaces: await readNamespaces(),
    squashfuse: {
      path: (await findProgram("squashfuse_ll")) ?? (await findProgram("squashfuse")),
      fuse: await access("/dev/fuse", constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      ),
    },
    gpu: await readGpuDrivers(),
    slurm: await readSlurm(),
  };
}

async function readRuntime(name: string): Promise<HostRuntime | undefined> {
  const path = await findProgram(programs[name] ?? name);
  if (path === undefined) return undefined;
  // Shifter says none, and enroot has a command for it.
  // Charliecloud wants to know who asks.
  const options = { timeout: 30_000, env: { USER: ownIdentity().name, ...hostEnvironment() } };
  const said = await runTool([path, name === "enroot" ? "version" : "--version"], options);
  const answer = await runTool([path, ...(questions[name] ?? [])], options);
  return {
    name,
    path,
    version:
      (name === "shifter" ? undefined : /\d+(?:\.\d+)+\S*/.exec(said.stdout)?.[0]?.replace(/,$/, "")) ?? "",
    trouble: answer.status === 0 ? undefined : lastLine(answer.stderr) || `status ${answer.status}`,
    separatesRanks: name === "apptainer" && process.getuid?.() !== 0 && (await couldShare(path)),
  };
}

/** Whether here is a machine of a cluster whose Apptainer makes a user namespace for each rank. */
export async function separatesRanksHere(): Promise<boolean> {
  const [apptainer, srun] = [await findProgram("apptainer"), await findProgram("srun")];
  return (
    apptainer !== undefined && srun !== undefined && process.getuid?.() !== 0 && (await couldShare(apptainer))
  );
}

async function readNamespaces(): Promise<HostProfile["namespaces"]> {
  try {
    const { overlay } = await namespaceAbilities("host");
    return { trouble: undefined, hint: undefined, overlay };
  } catch (error) {
    if (!(error instanceof SpacktainersError)) throw error;
    return { trouble: error.message, hint: error.hint, overlay: false };
  }
}

async function readSlurm(): Promise<HostProfile["slurm"]> {
  const srun = await findProgram("srun");
  if (srun === undefined) return undefined;
  const version = await runTool([srun, "--version"], { timeout: 30_000 });
  const list = await runTool([srun, "--mpi=list"], { timeout: 30_000 });
  const help = await runTool([srun, "--help"], { timeout: 30_000 });
  const configuration = hostEnvironment().SLURM_CONF ?? "/etc/slurm/slurm.conf";
  const hasOci = await access(join(dirname(configuration), "oci.conf")).then(
    () => true,
    () => false,
  );
  // Releases differ in where they print it.
  const plugins = parseMpiList(`${list.stdout}\n${list.stderr}`);
  return {
    version: /\d+(?:\.\d+)+\S*/.exec(version.stdout)?.[0] ?? "",
    plugins,
    // Every Slurm has the option; what it is to start is in a file beside its configuration.
    containers: srunContainers(help.stdout).filter((name) => name !== "slurm" || hasOci),
    trouble: plugins.length > 0 ? undefined : lastLine(list.stderr) || "srun --mpi=list names no plug-in",
  };
}

/** The runtimes that `srun --help` names options of. */
export function srunContainers(help: string): readonly SrunRuntime[] {
  return (Object.keys(srunOptions) as SrunRuntime[]).filter((name) =>
    new RegExp(`^\\s+(?:-\\w, )?${srunOptions[name]}(?:=|\\s|$)`, "m").test(help),
  );
}

/** What the facts mean for somebody who wants to run containers here. */
export function checkHost(facts: HostProfile): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { name, path, version, trouble, separatesRanks } of facts.runtimes) {
    if (separatesRanks)
      findings.push(
        ok(
          "rank-memory",
          `${name} makes a user namespace for each container: ranks of a node share one by \`--sharens\`, which \`exec\` asks for by itself, and jobs where the site has \`share-namespaces: true\``,
          path,
        ),
      );
    findings.push(
      trouble === undefined
        ? ok("runtime", `${name} ${version} works`.replace("  ", " "), path)
        : {
            severity: "warning",
            check: "runtime",
            message: `${name} ${version} is installed but does not work`.replace("  ", " "),
            evidence: [path, trouble],
          },
    );
  }
  const { namespaces, squashfuse } = facts;
  const works = facts.runtimes.some(({ trouble }) => trouble === undefined);
  if (namespaces.trouble === undefined)
    findings.push(
      ok(
        "namespaces",
        `users may make namespaces: our own runner works${namespaces.overlay ? "" : ", with a read-only root"}`,
      ),
    );
  else
    findings.push({
      severity: works ? "warning" : "error",
      check: "namespaces",
      message: works ? "our own runner does not work" : "nothing here can run a container",
      evidence: [namespaces.trouble],
      remedy: namespaces.hint,
    });
  if (facts.runtimes.some(({ name }) => name === "apptainer" || name === "singularity"))
    findings.push(
      squashfuse.path !== undefined && squashfuse.fuse
        ? ok("squashfuse", "SIF files can be mounted without rights of root", squashfuse.path)
        : {
            severity: "warning",
            check: "squashfuse",
            message: "SIF files may have to be unpacked at every start",
            evidence: [
              squashfuse.path ?? "squashfuse is not on the search path (Apptainer may have its own)",
              squashfuse.fuse ? "/dev/fuse can be opened" : "/dev/fuse cannot be opened",
            ],
            remedy: "ask for squashfuse and access to /dev/fuse",
          },
    );
  if (facts.slurm !== undefined)
    findings.push(
      facts.slurm.trouble === undefined
        ? ok("slurm", `Slurm ${facts.slurm.version}; srun --mpi has ${facts.slurm.plugins.join(", ")}`)
        : {
            severity: "warning",
            check: "slurm",
            message: "Slurm is installed but does not answer",
            evidence: [facts.slurm.trouble],
          },
    );
  for (const name of facts.slurm?.containers ?? [])
    findings.push(ok("runtime", `srun has ${srunOptions[name]}: \`runtime: ${name}\` of a site`));
  findings.push(...checkGpuHost(facts.gpu));
  if (facts.processor !== undefined) findings.push(ok("processor", `the processor is ${facts.processor}`));
  for (const one of facts.emulated) findings.push(ok("emulator", `programs for ${one} run in an emulator`));
  if (facts.glibc !== undefined) findings.push(ok("glibc", `the machine has glibc ${facts.glibc}`));
  return findings;
}
