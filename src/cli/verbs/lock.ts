import { relative } from "node:path";
import { Command } from "commander";
import type { LockResult } from "../../commands/lock/lockContainer.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import {
  addFailFastOption,
  addResourcesOptions,
  addSelectionOptions,
  addSolveOptions,
  type BuildingOptions,
  type FailFastOptions,
  type ResourcesOptions,
} from "../options.ts";
import { printContainers } from "../outcomes.ts";
import { buildingRequest, resourcesRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface LockOptions
  extends ResourcesOptions,
    FailFastOptions,
    Pick<BuildingOptions, "solve" | "fresh" | "executor" | "builder"> {
  readonly arch?: string;
  readonly keep?: boolean;
  readonly check?: boolean;
}

/** `lock`: resolves and writes both locks. */
export function lockVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("lock")
    .summary("write spack.lock and spacktainers.lock")
    .description(
      "Chooses the packages of each container from the caches. Writes spack.lock (which Spack also reads) and spacktainers.lock (archive digests, base, OS packages) next to the definition. Ignores the previous lock, unless you give --keep. If spacktainers.yaml names a Spack, that Spack chooses when the caches do not suffice. Packages that it still has to build have no archives yet; in this case, writes only spack.lock.",
    )
    .argument("[names...]", "containers to lock (default: all)");
  addSolveOptions(addFailFastOption(addSelectionOptions(command)))
    .option("--keep", "keep the locked configuration of specs that the definition still has")
    .option("--check", "write nothing; the exit status is 3 if a lock is missing or out of date");
  return addResourcesOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers lock hello-mpi
  $ spacktainers lock simulation --solve
  $ spacktainers lock --check
  $ spacktainers build hello-mpi --frozen`,
    )
    .action(
      verbAction<LockOptions>(program, outcome, async (context, options, names) => {
        const { lockContainers } = await import("../../commands/lock/lockContainers.ts");
        const outcomes = await lockContainers({
          ...resourcesRequest(context, options),
          ...(options.check === true ? {} : { building: buildingRequest(options) }),
          names,
          arch: options.arch,
          failFast: options.failFast === true,
          keep: options.keep === true,
          check: options.check === true,
        });
        context.reporter.close();
        printContainers(context, outcomes, {
          verb: "lock",
          json: (result) => result ?? [],
          text: (result) => (result === undefined ? undefined : lockText(result, context.directory)),
        });
        if (options.check === true)
          context.print(context.json ? resultLine("lock", { upToDate: true }) : "up to date");
        return 0;
      }),
    );
}

/** What was locked, for people. */
function lockText(result: LockResult, directory: string): string {
  const base = result.basePackages === 0 ? "" : `, ${count(result.basePackages, "OS package")}`;
  return [
    `${result.name} ${result.version} ${result.arch}  ${count(result.packages, "package")}${base}`,
    ...result.files.map(
      ({ path, changed }) => `  ${shown(directory, path)}${changed ? "" : "  (unchanged)"}`,
    ),
    ...(result.toBuild.length === 0
      ? []
      : [`  ${count(result.toBuild.length, "package")} to build: ${result.toBuild.join(", ")}`]),
    ...result.undetermined.map(
      ({ request, variants }) =>
        `  ${request}: caches cannot tell the default of ${variants.join(", ")}; see spacktainers explain`,
    ),
  ].join("\n");
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

/** Paths as the user would type them. */
function shown(directory: string, file: string): string {
  const path = relative(directory, file);
  return path === "" || path.startsWith("..") ? file : path;
}
