/** Findings about what is in an image, whatever it is to do; what is right is not reported. */
import { nameMatcher } from "../linkage/allow.ts";
import type { Finding } from "./finding.ts";
import type { ImageProfile } from "./imageProfile.ts";
import type { Site } from "./site.ts";

/** Most problems of one kind that are reported. */
const mostProblems = 12;
/** At most so many paths as evidence. */
const mostPaths = 6;

/** What matters beside the image. */
export interface ContentOptions {
  /** What may stay unresolved, by the configuration: names, in which `*` matches any characters. */
  readonly allow?: readonly string[] | undefined;
  /** The entrypoint is left out, as jobs do. */
  readonly skipsEntrypoint?: boolean | undefined;
}

export function checkContents(
  facts: ImageProfile,
  site: Pick<Site, "runtime">,
  options: ContentOptions = {},
): readonly Finding[] {
  return [
    ...checkUnresolved(facts, options.allow ?? []),
    ...checkClosed(facts, site),
    ...checkStart(facts, options.skipsEntrypoint === true),
    ...checkPreload(facts),
    ...checkDrivers(facts),
  ];
}

function checkUnresolved({ unresolved }: ImageProfile, allow: readonly string[]): readonly Finding[] {
  const isAllowed = nameMatcher(allow);
  const found = unresolved.filter(
    ({ names, files }) => !names.some(isAllowed) && !(files.length > 0 && files.every(isAllowed)),
  );
  const findings = found.slice(0, mostProblems).map(
    ({ severity, owner, text, files, remedy }): Finding => ({
      severity,
      check: "linkage",
      message: text,
      evidence: [...files.slice(0, mostPaths), `of ${owner}`],
      remedy: remedy ?? "build the image again: a build reports missing files before it writes the image",
    }),
  );
  const more = found.slice(mostProblems);
  if (more.length === 0) return findings;
  const severity = more.some((one) => one.severity === "error") ? "error" : "warning";
  const evidence = [...new Set(more.map(({ names }) => names[0] ?? ""))].slice(0, mostPaths);
  return [
    ...findings,
    { severity, check: "linkage", message: `${more.length} more things are missing`, evidence },
  ];
}

function checkClosed({ closed }: ImageProfile, { runtime }: Pick<Site, "runtime">): readonly Finding[] {
  // What our own runner unpacks belongs to whoever runs it.
  if (closed.length === 0 || runtime === "native") return [];
  const paths = closed.slice(0, mostPaths).map(({ path, mode }) => `${path} has mode ${octal(mode)}`);
  return [
    {
      severity: "error",
      check: "permissions",
      message: `${closed.length === 1 ? "a path" : `${closed.length} paths`} of the packages can be read only by root: programs in the container run as your user and cannot reach them`,
      evidence: [...paths, ...(closed.length > mostPaths ? [`and ${closed.length - mostPaths} more`] : [])],
      remedy: `chmod -R a+rX ${closed[0]?.path ?? ""} in the step that made it so`,
    },
  ];
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

function checkStart({ missingStart, hasShell }: ImageProfile, skipsEntrypoint: boolean): readonly Finding[] {
  const findings: Finding[] = [];
  if (missingStart !== undefined)
    findings.push({
      severity: skipsEntrypoint ? "warning" : "error",
      check: "entrypoint",
      message: `the image is started with ${missingStart.program}, which is not in it or cannot be executed: \`run\` fails, \`exec\` does without`,
      evidence: [`entrypoint and command of the configuration: ${missingStart.line}`],
      remedy: `the OS package that has ${missingStart.program} (\`base: packages:\`), or another entrypoint`,
    });
  if (!hasShell)
    findings.push({
      severity: "warning",
      check: "shell",
      message: "there is no /bin/sh in the image: scripts, and programs that start others by a shell, fail",
      evidence: ["/bin/sh leads to no file"],
      remedy: "the OS package dash or bash (`base: packages:`)",
    });
  return findings;
}

function checkPreload({ missingPreload }: ImageProfile): readonly Finding[] {
  return missingPreload.map(({ library, from }) => ({
    severity: "warning",
    check: "preload",
    message: `${library} is to be loaded into every program, but is not in the image: every program prints a warning when it starts, and continues without it`,
    evidence: [from],
    remedy: `take it out of the ${from}, or add the package that has it`,
  }));
}

function checkDrivers({ drivers }: ImageProfile): readonly Finding[] {
  const of = (device: "gpu" | "network"): readonly string[] =>
    drivers.filter((one) => one.device === device).map(({ path }) => path);
  const findings: Finding[] = [];
  const [gpu, network] = [of("gpu"), of("network")];
  if (gpu.length > 0)
    findings.push({
      severity: "warning",
      check: "host-drivers",
      message:
        "the driver of a graphics processor is in the image: it must be the machine's, of the same version as its kernel module",
      evidence: gpu.slice(0, mostPaths),
      remedy: "leave it out: `--gpu` brings the machine's (an external package, or an OS package less)",
    });
  if (network.length > 0)
    findings.push({
      severity: "warning",
      check: "host-drivers",
      message:
        "the driver of the network's adapters is in the image: one that is older than the machine's adapters does not know them, and MPI falls back to slower ways",
      evidence: network.slice(0, mostPaths),
      remedy: "as new as the machine's (`rdma-core`), or let the machine's MPI take its place (Sarus)",
    });
  return findings;
}
