/** The verbs of `ci` that jobs of a pipeline call. */
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import { oneError } from "../../util/errors.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { errorEntry } from "../errorText.ts";
import { addResourcesOptions, addSelectionOptions, type ResourcesOptions } from "../options.ts";
import { pushEntry, pushTable } from "../pushTable.ts";
import { buildingRequest, resourcesRequest } from "../requests.ts";
import { resultLine } from "../resultLine.ts";

interface PlanOptions extends ResourcesOptions {
  readonly arch?: "amd64" | "arm64";
  readonly changedSince?: string;
  readonly bases: "changed" | "always" | "never";
  readonly output?: string;
  readonly compile?: boolean;
}

/** `ci plan`: what has to be done. */
export function planCommand(program: Command, outcome: VerbOutcome): Command {
  const command = addSelectionOptions(new Command("plan"))
    .summary("list the work of a pipeline")
    .description(
      "Finds the containers that changed since a commit, and the packages of these containers that no cache has. A container changes with its definition, lock and epilogue, the files that these include or copy, and the sections of spacktainers.yaml that affect it. If Spack has to choose, writes its lock next to the definition.",
    )
    .argument("[names...]", "containers (default: all)")
    .option("--changed-since <commit>", "list only what changed since this commit (default: everything)")
    .addOption(
      new Option("--bases <when>", "whether to make the builder and runtime images")
        .choices(["changed", "always", "never"])
        .default("changed"),
    )
    .option("--output <folder>", "write plan.json, and the locks that Spack made, to this folder");
  return addResourcesOptions(command)
    .addHelpText(
      "after",
      "\nExamples:\n  $ spacktainers ci plan --changed-since origin/main\n  $ spacktainers ci plan simulation --output plan --json",
    )
    .action(
      verbAction<PlanOptions>(program, outcome, async (context, options, names) => {
        const { planPipeline } = await import("../../commands/ci/planPipeline.ts");
        const { pipelineReport } = await import("../../ci/report.ts");
        const { openSoundRepository } = await import("../../pipeline/workspace/workspace.ts");
        const { configuration } = await openSoundRepository(context.directory);
        const plan = await planPipeline({
          ...resourcesRequest(context, options),
          names,
          arch: options.arch ?? hostArchitecture(),
          since: options.changedSince || undefined,
          bases: options.bases,
          building: buildingRequest({}),
          stages: configuration.ci.stages,
          output: options.output === undefined ? undefined : resolve(context.directory, options.output),
        });
        const { GITHUB_OUTPUT: outputs } = process.env;
        if (outputs) {
          const { appendFile } = await import("node:fs/promises");
          const { planOutputs } = await import("../../ci/ciPlan.ts");
          const { githubVariables } = await import("../../commands/ci/writeCredentials.ts");
          await appendFile(
            outputs,
            githubVariables(planOutputs({ version: 1, ...plan }, configuration.ci.stages)),
          );
        }
        context.reporter.close();
        if (context.json) context.print(resultLine("ci plan", plan));
        else
          for (const line of pipelineReport("", [{ type: "result", ...plan }], context.directory).lines)
            context.print(line);
        return 0;
      }),
    );
}

/** `ci packages`: the packages of one job. */
export function packagesCommand(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("packages")
    .summary("build the packages of one job of a plan")
    .description(
      "Builds the packages that `ci plan` gave to a job, and pushes each one before starting the packages that need it. Dependencies that other jobs build must be in a cache.",
    )
    .argument("<job>", "a job of the plan, or the hash of one of its packages")
    .requiredOption("--plan <folder>", "the folder that `ci plan --output` wrote")
    .option("--keep-going", "when a package fails, continue with the packages that do not need it");
  return addResourcesOptions(command)
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci packages 1-1 --plan plan")
    .action(
      verbAction<ResourcesOptions & { readonly plan: string; readonly keepGoing?: boolean }>(
        program,
        outcome,
        async (context, options, [job = ""]) => {
          const { buildPackages } = await import("../../commands/ci/buildPackages.ts");
          const result = await buildPackages({
            ...resourcesRequest(context, options),
            plan: resolve(context.directory, options.plan),
            job,
            building: buildingRequest({
              keepGoing: options.keepGoing,
              jobs: options.jobs,
            }),
          });
          context.reporter.close();
          if (context.json) context.print(resultLine("ci packages", result));
          else {
            for (const one of result.built) context.print(`built  ${one}`);
            for (const one of result.reused) context.print(`there  ${one}`);
          }
          return 0;
        },
      ),
    );
}

/** `ci publish`: containers to an environment. */
export function publishCommand(program: Command, outcome: VerbOutcome): Command {
  const command = addSelectionOptions(new Command("publish"))
    .summary("publish containers to an environment")
    .description(
      "Pushes like `push`, to the registries and with the tags that `ci: environments:` names for the environment. Then publishes a SIF file of each container, if the environment names a place for SIF files.",
    )
    .argument("<names...>", "containers")
    .requiredOption("--environment <name>", "an environment of `ci: environments:`")
    .option("--no-compile", "fail if no cache has a package");
  return addResourcesOptions(command)
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci publish simulation --environment sandbox")
    .action(
      verbAction<
        ResourcesOptions & { readonly arch?: string; readonly environment: string; readonly compile: boolean }
      >(program, outcome, async (context, options, names) => {
        const { publishImages } = await import("../../commands/ci/publishImages.ts");
        const { rows, files, errors } = await publishImages({
          ...resourcesRequest(context, options),
          names,
          arch: options.arch,
          environment: options.environment,
          strip: undefined,
          keepMetadata: false,
          allowUnresolved: [],
          buildArguments: new Map(),
          epilogueNetwork: undefined,
          frozen: false,
          failFast: false,
          building: buildingRequest(options.compile ? {} : { compile: false }),
        });
        context.reporter.close();
        if (context.json) {
          for (const row of rows) context.print(resultLine("ci publish", pushEntry(row)));
          for (const file of files) context.print(resultLine("ci publish", file));
        } else {
          if (rows.length > 0) context.print(pushTable(rows));
          for (const file of files) context.print(`${file.url}  ${formatBytes(file.size)}\n  ${file.digest}`);
        }
        if (errors.length > 0) throw oneError(errors);
        return 0;
      }),
    );
}

/** `ci rebase`: an environment on the newest base. */
export function ciRebaseCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("rebase")
    .summary("put the published images of an environment on the newest base")
    .description(
      "Rebases all containers like `rebase`, in the registries of the environment. Then publishes new SIF files of the containers that changed.",
    )
    .requiredOption("--environment <name>", "an environment of `ci: environments:`")
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci rebase --environment production")
    .action(
      verbAction<{ readonly environment: string }>(program, outcome, async (context, options) => {
        const { rebaseEnvironment } = await import("../../commands/ci/rebaseEnvironment.ts");
        const { rows, files, errors } = await rebaseEnvironment({
          directory: context.directory,
          environment: options.environment,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) {
          for (const row of rows) context.print(resultLine("ci rebase", pushEntry(row)));
          for (const file of files) context.print(resultLine("ci rebase", file));
          for (const error of errors)
            context.print(resultLine("ci rebase", { failed: true, errors: [errorEntry(error)] }));
        } else {
          if (rows.length > 0) context.print(pushTable(rows));
          for (const file of files) context.print(`${file.url}  ${formatBytes(file.size)}\n  ${file.digest}`);
        }
        if (errors.length > 0) throw oneError(errors);
        return 0;
      }),
    );
}

/** `ci credentials`: variables as files. */
export function credentialsCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("credentials")
    .summary("write the variables of a pipeline to the files that programs read")
    .description(
      "Writes the documented variables (AWS_CACHE_…, AWS_INFRASTRUCTURE_…, GHCR_…, and those that spacktainers.yaml names) to files that only this user can read. Later steps find the files through GITHUB_ENV, or environment.sh in the folder. Prints no values.",
    )
    .requiredOption("--output <folder>", "folder to write to, outside of the repository")
    .addHelpText("after", '\nExamples:\n  $ spacktainers ci credentials --output "$RUNNER_TEMP/credentials"')
    .action(
      verbAction<{ readonly output: string }>(program, outcome, async (context, options) => {
        const { writeCredentials } = await import("../../commands/ci/writeCredentials.ts");
        const result = await writeCredentials({
          directory: context.directory,
          output: resolve(context.directory, options.output),
          env: process.env,
        });
        for (const name of result.missing)
          context.reporter.emit({
            type: "warning",
            code: "NOTICE",
            message: `${name} is not set: whatever needs it will fail`,
          });
        if (context.json) context.print(resultLine("ci credentials", result));
        else for (const name of result.variables) context.print(`set  ${name}`);
        return 0;
      }),
    );
}

/** `ci report`: what a command printed, as a report. */
export function reportCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("report")
    .summary("turn the JSON lines of a command into a report")
    .description(
      "Reads the output of a command that runs with --json. Writes progress and results to the log, a summary to GITHUB_STEP_SUMMARY and report/summary.md, and problems to GitHub's annotations and report/code-quality.json, which GitLab shows. With `set -o pipefail`, the pipe has the exit status of the command.",
    )
    .option("--title <text>", "title of the report", "Spacktainers")
    .option("--output <folder>", "folder of the report", "report")
    .addHelpText(
      "after",
      "\nExamples:\n  $ spacktainers --json build simulation | spacktainers ci report --title Build",
    )
    .action(
      verbAction<{ readonly title: string; readonly output: string }>(
        program,
        outcome,
        async (context, options) => {
          const { reportFromLines } = await import("../ciReport.ts");
          return reportFromLines({
            input: process.stdin,
            title: options.title,
            directory: context.directory,
            output: resolve(context.directory, options.output),
            env: process.env,
            print: (text) => context.print(text),
          });
        },
      ),
    );
}
