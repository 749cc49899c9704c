/** Whether an image can run at a site, from its files alone. */
import { compareLibcVersions, newerLibcHint } from "../base/libc.ts";
import { isAtLeast } from "../spec/microarchitecture.ts";
import { counted } from "../util/counted.ts";
import { type ContentOptions, checkContents } from "./checkContents.ts";
import { checkGpu } from "./checkGpu.ts";
import { checkRanks, type RankOptions } from "./checkRanks.ts";
import { checkCache, checkReplacement } from "./checkReplacement.ts";
import { choosePmi, mainMpi, mpiName, pmiName, servedBy } from "./choosePmi.ts";
import { type Finding, ok } from "./finding.ts";
import type { ImageProfile } from "./imageProfile.ts";
import type { MpiLibrary } from "./mpiLibrary.ts";
import { type JobResources, type Site, targetsFor } from "./site.ts";

/** The facts of the job that matter. */
export interface CheckImageOptions extends ContentOptions, RankOptions {
  readonly resources?: JobResources;
  /** The plug-in asked for with `--mpi`; default the one that would be chosen. */
  readonly mpi?: string | undefined;
  /** The host's MPI takes the place of the container's; default when the site has a rule for it. */
  readonly hostMpi?: boolean | undefined;
  /** The job is to use graphics processors. */
  readonly gpu?: boolean | undefined;
  /** What `srun --mpi=list` says here, on a cluster; undefined elsewhere. */
  readonly plugins?: readonly string[] | undefined;
  /** Architectures whose programs run in an emulator there. */
  readonly emulated?: readonly string[] | undefined;
  /** Whether here is the site; default true. Otherwise it may be another cluster. */
  readonly isHere?: boolean | undefined;
}

/** Checks an image's facts against a site. The findings have a fixed order and include what is right. */
export function checkImage(
  facts: ImageProfile,
  site: Site,
  options: CheckImageOptions = {},
): readonly Finding[] {
  const library = mainMpi(
    facts.mpi,
    (facts.cachedMpi ?? []).map(({ file }) => file),
  );
  const replaced = options.hostMpi ?? site.replaceMpi !== undefined;
  return [
    ...checkProcessor(facts, site, { ...site.resources, ...options.resources }, options.emulated ?? []),
    ...checkLibc(facts, site, replaced),
    ...checkPmi(facts, library, { site, replaced, options }),
    ...checkRanks(library, site, {
      plugin: options.mpi ?? choosePmi(library, site.mpi, replaced).plugin,
      replaced,
      options,
    }),
    ...(replaced ? checkReplacement(facts, library, site) : []),
    ...checkCache(facts, library, replaced && site.runtime !== "podman-hpc" && site.runtime !== "shifter"),
    ...checkEnvironment(facts, site),
    ...(options.gpu === true ? checkGpu(facts, site.gpuDriver, site.name) : []),
    ...checkContents(facts, site, options),
  ];
}

function checkProcessor(
  facts: ImageProfile,
  site: Site,
  resources: JobResources,
  emulated: readonly string[],
): readonly Finding[] {
  const check = "processor";
  const targets = targetsFor(site, resources);
  if (targets.length === 0) return [];
  const family = { x86_64: "amd64", aarch64: "arm64" }[baseFamily(targets[0] ?? "")];
  if (family !== undefined && family !== facts.architecture)
    return [
      {
        severity: emulated.includes(facts.architecture) ? "warning" : "error",
        check,
        message: `the image is for ${facts.architecture}, ${site.name} has ${family}${emulated.includes(facts.architecture) ? " and an emulator: programs are slow" : ""}`,
        evidence: [`configuration of the image: architecture ${facts.architecture}`],
        remedy: `build the container for ${family}`,
      },
    ];
  if (facts.packages === undefined)
    return [
      {
        severity: "warning",
        check,
        message: "nothing in the image says what processor its packages are for",
        evidence: ["there is no /opt/spack-environment/spack.lock in it"],
      },
    ];
  const findings: Finding[] = [];
  for (const target of targets) {
    const unfit = facts.packages.filter((one) => !isAtLeast(target, one.target));
    if (unfit.length === 0) continue;
    const needed = [...new Set(unfit.map((one) => one.target))];
    findings.push({
      severity: "error",
      check,
      message: `${unfit.length} of ${counted(facts.packages.length, "package")} ${unfit.length === 1 ? "is" : "are"} for ${needed.join(", ")}, which ${target} cannot run: programs end with an illegal instruction`,
      evidence: unfit.slice(0, 8).map(({ name, version, target: own }) => `${name}@${version} target=${own}`),
      remedy: `packages for ${target} or older: \`require: target=${genericFor(target)}\` in spack.yaml`,
    });
  }
  const found = [...new Set(facts.packages.map(({ target }) => target))].sort();
  return findings.length > 0
    ? findings
    : [ok(check, `all packages (${found.join(", ")}) run on ${targets.join(", ")}`)];
}

function baseFamily(target: string): string {
  return isAtLeast(target, "x86_64") ? "x86_64" : isAtLeast(target, "aarch64") ? "aarch64" : target;
}

function genericFor(target: string): string {
  const levels = ["x86_64_v4", "x86_64_v3", "x86_64_v2", "x86_64"];
  return levels.find((level) => isAtLeast(target, level)) ?? baseFamily(target);
}

function checkLibc(facts: ImageProfile, site: Site, replaced: boolean): readonly Finding[] {
  const findings: Finding[] = [];
  const { libc, libcNeeded } = facts;
  if (libc === undefined)
    findings.push({
      severity: "warning",
      check: "libc",
      message: "there is no GNU C library in the image",
      evidence: [],
    });
  else if (libcNeeded !== undefined && compareLibcVersions(libcNeeded.version, libc) > 0)
    findings.push({
      severity: "error",
      check: "libc",
      message: `files of the image need glibc ${libcNeeded.version}, it has ${libc}`,
      evidence: [`${libcNeeded.path} needs GLIBC_${libcNeeded.version}`],
      remedy: newerLibcHint(libcNeeded.version),
    });
  else
    findings.push(
      ok(
        "libc",
        `the image has glibc ${libc}${libcNeeded === undefined ? "" : `, its files need ${libcNeeded.version}`}`,
        ...(libcNeeded === undefined ? [] : [`${libcNeeded.path} needs GLIBC_${libcNeeded.version}`]),
      ),
    );
  const injected = replaced ? (site.replaceMpi?.glibc ?? site.glibc) : undefined;
  if (libc === undefined || injected === undefined) return findings;
  const certain = site.replaceMpi?.glibc !== undefined;
  if (compareLibcVersions(injected, libc) > 0)
    findings.push({
      severity: certain ? "error" : "warning",
      check: "injected-libc",
      message: `libraries of ${site.name} that are put into the container ${certain ? "need" : "may need"} glibc ${injected}, the image has ${libc}`,
      evidence: [`sites: ${site.name}: ${certain ? "replace-mpi: " : ""}glibc: "${injected}"`],
      remedy: newerLibcHint(injected),
    });
  else
    findings.push(ok("injected-libc", `glibc ${libc} is new enough for the host's libraries (${injected})`));
  return findings;
}

/** Where the image is to run. */
interface PmiCheck {
  readonly site: Site;
  readonly replaced: boolean;
  readonly options: CheckImageOptions;
}

function checkPmi(
  { unresolved }: ImageProfile,
  library: MpiLibrary | undefined,
  { site, replaced, options: { mpi, plugins, isHere = true } }: PmiCheck,
): readonly Finding[] {
  const check = "pmi";
  if (library === undefined) {
    // It is missing, not left out: that is said of the files that need it.
    if (unresolved.some(({ names }) => /^libmpi/.test(names[0] ?? ""))) return [];
    return [ok(check, "the image has no MPI library: its programs run alone")];
  }
  const evidence = library.pmi.map((one) => `${library.path}: ${one.evidence} (${pmiName(one.flavour)})`);
  const findings: Finding[] = [];
  const choice = choosePmi(library, site.mpi, replaced);
  const plugin = mpi ?? choice.plugin;
  const ranks = "every rank would be alone, in a world of one";
  if (plugin === undefined)
    findings.push({
      severity: "error",
      check,
      message: `none of ${site.name}'s \`srun --mpi\` (${site.mpi.join(", ")}) fits: ${choice.because}; ${ranks}`,
      evidence,
      remedy: remedyFor(library),
    });
  else if (!replaced && !library.pmi.some(({ flavour }) => servedBy(plugin).includes(flavour)))
    findings.push({
      severity: "error",
      check,
      message: `\`srun --mpi=${plugin}\` does not serve ${mpiName(library)}: ${ranks}`,
      evidence,
      remedy:
        choice.plugin === undefined
          ? remedyFor(library)
          : `use \`srun --mpi=${choice.plugin}\`: ${choice.because}`,
    });
  else findings.push(ok(check, `\`srun --mpi=${plugin}\`: ${choice.because}`, ...evidence));
  if (plugin !== undefined && plugins !== undefined && plugin !== "none" && !plugins.includes(plugin))
    findings.push({
      severity: isHere ? "error" : "warning",
      check: "pmi-here",
      message: `Slurm here has no \`--mpi=${plugin}\`${isHere ? "" : `; if here is ${site.name}, ranks will not start`}`,
      evidence: [`srun --mpi=list: ${plugins.join(", ")}`],
      remedy: `correct \`mpi:\` of the site ${site.name}`,
    });
  return findings;
}

function remedyFor(library: MpiLibrary): string {
  return library.family === "openmpi"
    ? "a site with PMIx, or MPICH in the container (`providers: {mpi: [mpich]}`), which `srun --mpi=pmi2` serves"
    : "an MPICH with its own PMI client: Spack's default, without `pmi=pmix` or an external one";
}

function checkEnvironment(facts: ImageProfile, site: Site): readonly Finding[] {
  const check = "host-libraries";
  if (site.runtime !== "apptainer" && site.runtime !== "singularity") return [];
  const script = facts.environmentScript;
  // To a value of the configuration Apptainer adds the place by itself; a script that login shells read comes after it.
  const lost = script?.keepsHostLibraries === false ? script.path : undefined;
  if (lost === undefined)
    return [
      ok(
        check,
        script === undefined && facts.libraryPath === undefined
          ? "nothing in the image sets LD_LIBRARY_PATH: libraries that Apptainer brings are found"
          : "the environment keeps the libraries that Apptainer brings",
        ...(script === undefined ? [] : [script.path]),
      ),
    ];
  return [
    {
      severity: "warning",
      check,
      message:
        "LD_LIBRARY_PATH is set without /.singularity.d/libs: drivers that Apptainer brings (--nv, --rocm) are not found",
      evidence: [lost],
      remedy: "keep /.singularity.d/libs in it; images built here do",
    },
  ];
}
