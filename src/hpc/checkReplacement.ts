/** Whether the host's MPI can take the place of the container's, as `sarus run --mpi` puts it there. */
import { mpiName } from "./choosePmi.ts";
import { type Finding, ok } from "./finding.ts";
import type { ImageProfile } from "./imageProfile.ts";
import type { MpiLibrary } from "./mpiLibrary.ts";
import type { MpiReplacement, Site } from "./site.ts";
import { withinBounds } from "./versionBounds.ts";

/**
 * Holds the container's MPI against the site's rule: family and name, interface, version, and libraries that must not be there.
 * @param library the one that programs load
 */
export function checkReplacement(
  facts: ImageProfile,
  library: MpiLibrary | undefined,
  site: Site,
): readonly Finding[] {
  const rule = site.replaceMpi;
  if (rule === undefined)
    return [
      {
        severity: "error",
        check: "mpi-abi",
        message: `${site.name} has no rule for replacing the container's MPI by its own`,
        evidence: [],
        remedy: "leave out --host-mpi, or describe `replace-mpi` of the site",
      },
    ];
  if (library === undefined) return [];
  const findings: Finding[] = [];
  const family = library.family === "openmpi" ? "openmpi" : "mpich";
  const fileAbi = `${library.path} (${library.soname})`;
  if (family !== rule.family || library.soname !== rule.soname)
    findings.push({
      severity: "error",
      check: "mpi-abi",
      message:
        family === rule.family
          ? `the host's MPI replaces ${rule.soname}, the container's is ${library.soname}`
          : `the host's MPI (${rule.soname}) cannot take the place of ${mpiName(library)}: another interface`,
      evidence: [fileAbi],
      remedy:
        family === rule.family
          ? `an MPI library called ${rule.soname}`
          : `a container with ${rule.family === "mpich" ? "MPICH" : "Open MPI"} (\`providers: {mpi: [${rule.family}]}\`)`,
    });
  else {
    const major = (text: string | undefined): string | undefined => text?.split(".")[0];
    const own = library.abi ?? /\.so\.(\d+)/.exec(library.soname)?.[1];
    if (rule.abi !== undefined && own !== undefined && major(rule.abi) !== major(own))
      findings.push({
        severity: "error",
        check: "mpi-abi",
        message: `the host's MPI has interface ${rule.abi}, the container's ${own}: the first number must be the same`,
        evidence: [fileAbi],
        remedy: "an MPICH of the same interface in the container",
      });
    else if (rule.abi !== undefined && own !== undefined && minorOf(own) > minorOf(rule.abi))
      findings.push({
        severity: "warning",
        check: "mpi-abi",
        message: `the container's MPI has a newer interface (${own}) than the host's (${rule.abi}): what only the newer one has is missing`,
        evidence: [fileAbi],
        remedy: "an older MPICH in the container, if programs end with undefined symbols",
      });
    else findings.push(ok("mpi-abi", `${rule.soname} can be replaced by the host's`, fileAbi));
  }
  if (family === rule.family) findings.push(...checkVersion(library, rule, site.name));
  if (site.runtime === "podman-hpc" || site.runtime === "shifter")
    findings.push({
      severity: "warning",
      check: "mpi-search",
      message: `${site.runtime} brings the host's MPI by LD_LIBRARY_PATH, and programs that Spack built look in their RPATH first: they may load the container's own`,
      evidence: [`Spack's default: \`config: {shared_linking: {type: rpath}}\``],
      remedy: "build the packages with `type: runpath`, or leave out --host-mpi",
    });
  for (const { name, path, version } of facts.bundled) {
    if (rule.notBundled.includes(name))
      findings.push({
        severity: "error",
        check: "bundled",
        message: `${name} must not be in the image: programs would load it in addition to the host's, or instead of it`,
        evidence: [path],
        remedy: `build the packages without it (MPICH: \`device=ch3 netmod=tcp\` or \`device=ch4 netmod=ucx\`)`,
      });
    else if (name === "libfabric" && rule.libfabric !== undefined && version !== undefined) {
      if (withinBounds(version, rule.libfabric))
        findings.push(ok("libfabric", `libfabric ${version} is within ${rule.libfabric.text}`, path));
      else
        findings.push({
          severity: "error",
          check: "libfabric",
          message: `libfabric ${version} in the image does not work with the host's; ${site.name} takes ${rule.libfabric.text}`,
          evidence: [path],
          remedy: `\`packages: libfabric: require: "@${rule.libfabric.text}"\` in spack.yaml`,
        });
    }
  }
  return findings;
}

/** What the site knows of the version of the container's MPI: it works, it does not, or nobody has said. */
function checkVersion(
  library: MpiLibrary,
  { versions, notVersions }: MpiReplacement,
  site: string,
): readonly Finding[] {
  const check = "mpi-version";
  if (versions === undefined && notVersions === undefined) return [];
  const takes = versions === undefined ? `all but ${notVersions?.text}` : versions.text;
  if (library.version === undefined)
    return [
      {
        severity: "warning",
        check,
        message: `the version of the container's MPI is unknown; ${site} works with ${takes}`,
        evidence: [library.path],
      },
    ];
  const { version } = library;
  const works = versions !== undefined && withinBounds(version, versions);
  const fails = notVersions === undefined ? !works : withinBounds(version, notVersions);
  const known =
    versions === undefined ? "another version" : `\`packages: mpich: require: "@${versions.text}"\``;
  const found = {
    check,
    evidence: [`${library.path}: version ${version}`],
    remedy: `${known} in spack.yaml, or run without the host's MPI (--no-host-mpi)`,
  };
  if (fails)
    return [
      {
        ...found,
        severity: "error",
        message: `${mpiName(library)} is known not to work with the host's MPI in its place; ${site} takes ${takes}`,
      },
    ];
  if (works) return [ok(check, `${mpiName(library)} is within ${takes}`)];
  if (versions === undefined) return [ok(check, `${mpiName(library)} is not within ${notVersions?.text}`)];
  return [
    {
      ...found,
      severity: "warning",
      message: `whether ${mpiName(library)} works with the host's MPI in its place is not known; ${site} takes ${takes}, and not ${notVersions?.text}`,
    },
  ];
}

function minorOf(version: string): number {
  return Number(version.split(".")[1] ?? 0);
}

/**
 * Looks for MPI in the loader's cache, through which Sarus' hook finds it (it reads what `ldconfig -p` shows).
 * @param replaced the host's MPI takes its place: then it must be found
 */
export function checkCache(
  facts: ImageProfile,
  library: MpiLibrary | undefined,
  replaced: boolean,
): readonly Finding[] {
  const check = "loader-cache";
  if (facts.cacheTrouble !== undefined)
    return [
      {
        severity: replaced ? "error" : "warning",
        check,
        message: facts.cacheTrouble,
        evidence: ["/etc/ld.so.cache"],
        remedy: "build the image again",
      },
    ];
  if (!replaced || library === undefined) return [];
  const found = facts.cachedMpi?.find(({ file }) => file === library.path);
  if (found === undefined)
    return [
      {
        severity: "error",
        check,
        message: `${library.soname} is not in the loader's cache, through which Sarus' hook finds the container's MPI`,
        evidence: [
          facts.cachedMpi === undefined
            ? "there is no /etc/ld.so.cache"
            : `/etc/ld.so.cache has ${facts.cachedMpi.length === 0 ? "no MPI library" : facts.cachedMpi.map(({ path }) => path).join(", ")}`,
          library.path,
        ],
        remedy: "let MPI be in the view, whose libraries are in the cache; in other images run ldconfig",
      },
    ];
  return [ok(check, "the loader's cache has the MPI library", `${found.name} => ${found.path}`)];
}
