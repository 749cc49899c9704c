/** What ranks of one node are to one another, by how the site's runtime makes users and namespaces. */
import type { Finding } from "./finding.ts";
import type { MpiLibrary } from "./mpiLibrary.ts";
import type { Site } from "./site.ts";

/** The facts of this machine that matter. */
export interface RankOptions {
  /** Apptainer here makes a user namespace for each container, and here may be the site. */
  readonly separatesRanks?: boolean | undefined;
}

/** How ranks are started. */
export interface RankCheck {
  readonly plugin: string | undefined;
  readonly replaced: boolean;
  readonly options: RankOptions;
}

/**
 * @param library the one that programs load; undefined: no ranks
 * @param plugin of `srun --mpi`
 * @param replaced the host's MPI takes its place
 */
export function checkRanks(
  library: MpiLibrary | undefined,
  site: Site,
  { plugin, replaced, options: { separatesRanks = false } }: RankCheck,
): readonly Finding[] {
  if (library === undefined || replaced) return [];
  return [...checkUser(site, plugin), ...checkMemory(site, separatesRanks)];
}

function checkUser({ runtime }: Site, plugin: string | undefined): readonly Finding[] {
  if (runtime !== "docker" || plugin?.startsWith("pmix") !== true) return [];
  return [
    {
      severity: "error",
      check: "rank-user",
      message: "PMIx takes no rank that is not its user, and a daemon starts Docker's containers",
      evidence: [`\`srun --mpi=${plugin}\``, "runtime: docker"],
      remedy: "another runtime of the site: apptainer, sarus, podman or native",
    },
  ];
}

function checkMemory({ runtime, shareNamespaces }: Site, separatesRanks: boolean): readonly Finding[] {
  const check = "rank-memory";
  const message =
    "each rank is in its own user namespace: ranks of a node cannot read one another's memory (CMA), and large messages take longer";
  if (runtime === "charliecloud" && !shareNamespaces)
    return [
      {
        severity: "warning",
        check,
        message,
        evidence: ["ch-run without --join"],
        remedy: "`share-namespaces: true` of the site",
      },
    ];
  if (runtime === "podman" || runtime === "podman-hpc")
    return [
      {
        severity: "warning",
        check,
        message,
        evidence: [`${runtime} run --userns=keep-id`],
        remedy: "`runtime: native`, whose ranks share a namespace, or Apptainer or Sarus",
      },
    ];
  if (runtime !== "apptainer" || !separatesRanks || shareNamespaces) return [];
  return [
    {
      severity: "warning",
      check,
      message,
      evidence: ["Apptainer here runs without set-user-ID"],
      remedy: "`share-namespaces: true` of the site, or `spacktainers exec`, which sees to it",
    },
  ];
}
