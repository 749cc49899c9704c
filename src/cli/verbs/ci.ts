import { resolve } from "node:path";
import { Command, Option } from "commander";
import { hostArchitecture } from "../../definitions/select.ts";
import { oneError } from "../../util/errors.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { errorEntry } from "../errorText.ts";
import {
  addGlobalOptions,
  addSelectionOptions,
  addWorkshopOptions,
  collect,
  positiveInteger,
  type WorkshopOptions,
} from "../options.ts";
import { pushEntry, pushTable } from "../pushTable.ts";
import { buildingRequest, workshopRequest } from "../requests.ts";

/** `ci`: pipelines, written, checked, run here; and what their jobs call. */
export function ciVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("ci")
    .summary("write, check and run pipelines of GitHub Actions and GitLab")
    .description(
      "Pipelines build what changed: base images, then the packages that no cache has, each once for all containers, then the containers, which are tested and published. The section `ci:` of spacktainers.yaml decides them.",
    )
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers ci github
  $ spacktainers ci check
  $ spacktainers ci plan --changed-since origin/main
  $ spacktainers ci run --event pull_request --label build --base origin/main`,
    );
  for (const make of [
    githubCommand,
    gitlabCommand,
    checkCommand,
    runCommand,
    planCommand,
    packagesCommand,
    publishCommand,
    rebaseCommand,
    credentialsCommand,
    reportCommand,
  ])
    command.addCommand(addGlobalOptions(make(program, outcome)).exitOverride());
  return command;
}

function githubCommand(program: Command, outcome: VerbOutcome): Command {
  return writeCommand("github", "write the workflows of GitHub Actions", program, outcome).addHelpText(
    "after",
    "\nExamples:\n  $ spacktainers ci github",
  );
}

function gitlabCommand(program: Command, outcome: VerbOutcome): Command {
  return writeCommand("gitlab", "write the pipeline of GitLab", program, outcome)
    .option("--child <folder>", "print the child pipeline of a plan (`ci plan --output FOLDER`)")
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci gitlab\n  $ spacktainers ci gitlab --child plan");
}

function writeCommand(
  host: "github" | "gitlab",
  summary: string,
  program: Command,
  outcome: VerbOutcome,
): Command {
  return new Command(host)
    .summary(summary)
    .description(
      "Writes the files, and the page of the secrets and variables that they take. The same repository gives the same files.",
    )
    .option("--force", "replace files that are not ours")
    .action(
      verbAction<{ readonly force?: boolean; readonly child?: string }>(
        program,
        outcome,
        async (context, options) => {
          const { childPipeline, writePipelines } = await import("../../commands/ci/writePipelines.ts");
          if (options.child !== undefined) {
            const folder = resolve(context.directory, options.child);
            context.print((await childPipeline(context.directory, folder, process.env)).trimEnd());
            return 0;
          }
          const files = await writePipelines(context.directory, host, { force: options.force === true });
          if (context.json) context.print(JSON.stringify({ type: "result", host, files }));
          else for (const { path, state } of files) context.print(`${state}  ${path}`);
          return 0;
        },
      ),
    );
}

function checkCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("check")
    .summary("whether the files of pipelines are what would be written")
    .description(
      "Compares the committed files with what `ci github` and `ci gitlab` would write, and looks for secrets in other workflows that nobody documented. Exit status 3 when something differs.",
    )
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci check")
    .action(
      verbAction(program, outcome, async (context) => {
        const { checkPipelines } = await import("../../commands/ci/writePipelines.ts");
        const { hosts, files, errors } = await checkPipelines(context.directory);
        if (context.json)
          context.print(JSON.stringify({ type: "result", hosts, files, failed: errors.length > 0 }));
        else for (const file of files) context.print(`as written  ${file}`);
        if (errors.length > 0) throw oneError(errors);
        return 0;
      }),
    );
}

interface PlanOptions extends WorkshopOptions {
  readonly arch?: "amd64" | "arm64";
  readonly changedSince?: string;
  readonly bases: "changed" | "always" | "never";
  readonly output?: string;
  readonly compile?: boolean;
}

function planCommand(program: Command, outcome: VerbOutcome): Command {
  const command = addSelectionOptions(new Command("plan"))
    .summary("what a pipeline has to do")
    .description(
      "Finds out which containers changed since a commit - their definitions, locks, epilogues, what these include and copy, and the sections of spacktainers.yaml that decide them - and which packages of them no cache has. Where Spack has to choose, its lock is written beside the definition.",
    )
    .argument("[names...]", "containers; none means all")
    .option("--changed-since <commit>", "only what changed since then (default: everything)")
    .addOption(
      new Option("--bases <when>", "whether the builder and runtime images are made")
        .choices(["changed", "always", "never"])
        .default("changed"),
    )
    .option("--output <folder>", "write plan.json there, and the locks that Spack made");
  return addWorkshopOptions(command)
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
          ...workshopRequest(context, options),
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
        if (context.json) context.print(JSON.stringify({ type: "result", ...plan }));
        else
          for (const line of pipelineReport("", [{ type: "result", ...plan }], context.directory).lines)
            context.print(line);
        return 0;
      }),
    );
}

function packagesCommand(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("packages")
    .summary("build the packages of one job of a plan")
    .description(
      "Builds the packages that `ci plan` gave to a job and pushes each before anything that needs it begins. What they need of other jobs must be in a cache.",
    )
    .argument("<job>", "a job of the plan, or the hash of one of its packages")
    .requiredOption("--plan <folder>", "the folder that `ci plan --output` wrote")
    .option("--keep-going", "when a package fails, still build all that do not need it");
  return addWorkshopOptions(command)
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci packages 1-1 --plan plan")
    .action(
      verbAction<WorkshopOptions & { readonly plan: string; readonly keepGoing?: boolean }>(
        program,
        outcome,
        async (context, options, [job = ""]) => {
          const { buildPackages } = await import("../../commands/ci/buildPackages.ts");
          const result = await buildPackages({
            ...workshopRequest(context, options),
            plan: resolve(context.directory, options.plan),
            job,
            building: buildingRequest({
              ...(options.keepGoing === undefined ? {} : { keepGoing: options.keepGoing }),
              ...(options.jobs === undefined ? {} : { jobs: options.jobs }),
            }),
          });
          context.reporter.close();
          if (context.json) context.print(JSON.stringify({ type: "result", ...result }));
          else {
            for (const one of result.built) context.print(`built  ${one}`);
            for (const one of result.reused) context.print(`there  ${one}`);
          }
          return 0;
        },
      ),
    );
}

function publishCommand(program: Command, outcome: VerbOutcome): Command {
  const command = addSelectionOptions(new Command("publish"))
    .summary("publish containers to an environment")
    .description(
      "As `push`, to the registries and with the tags that `ci: environments:` has for the environment; then a SIF file of each to where it has them.",
    )
    .argument("<names...>", "containers")
    .requiredOption("--environment <name>", "an environment of `ci: environments:`")
    .option("--no-compile", "refuse what no cache has");
  return addWorkshopOptions(command)
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci publish simulation --environment sandbox")
    .action(
      verbAction<
        WorkshopOptions & { readonly arch?: string; readonly environment: string; readonly compile: boolean }
      >(program, outcome, async (context, options, names) => {
        const { publishImages } = await import("../../commands/ci/publishImages.ts");
        const { rows, files, errors } = await publishImages({
          ...workshopRequest(context, options),
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
          for (const row of rows) context.print(JSON.stringify({ type: "result", ...pushEntry(row) }));
          for (const file of files) context.print(JSON.stringify({ type: "result", ...file }));
        } else {
          if (rows.length > 0) context.print(pushTable(rows));
          for (const file of files) context.print(`${file.url}  ${formatBytes(file.size)}\n  ${file.digest}`);
        }
        if (errors.length > 0) throw oneError(errors);
        return 0;
      }),
    );
}

function rebaseCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("rebase")
    .summary("put the published images of an environment on the newest base")
    .description(
      "As `rebase` of all containers, in the registries of the environment; then new SIF files of what changed.",
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
          for (const row of rows) context.print(JSON.stringify({ type: "result", ...pushEntry(row) }));
          for (const file of files) context.print(JSON.stringify({ type: "result", ...file }));
          for (const error of errors)
            context.print(JSON.stringify({ type: "result", failed: true, errors: [errorEntry(error)] }));
        } else {
          if (rows.length > 0) context.print(pushTable(rows));
          for (const file of files) context.print(`${file.url}  ${formatBytes(file.size)}\n  ${file.digest}`);
        }
        if (errors.length > 0) throw oneError(errors);
        return 0;
      }),
    );
}

function credentialsCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("credentials")
    .summary("write the variables of a pipeline to the files that programs look for")
    .description(
      "Writes the documented variables (AWS_CACHE_…, AWS_INFRASTRUCTURE_…, GHCR_…, those that spacktainers.yaml names) to files that only this user can read, and tells later steps where they are: by GITHUB_ENV, and by environment.sh in the folder. Prints no value.",
    )
    .requiredOption("--output <folder>", "where to, outside of the repository")
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
            message: `${name} is not set: what needs it will be refused`,
          });
        if (context.json) context.print(JSON.stringify({ type: "result", ...result }));
        else for (const name of result.variables) context.print(`set  ${name}`);
        return 0;
      }),
    );
}

function reportCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("report")
    .summary("turn the JSON lines of a command into the report of a job")
    .description(
      "Reads what a command prints with --json. Progress and results go to the log, a summary to GITHUB_STEP_SUMMARY and to report/summary.md, problems to annotations of GitHub at their lines and to report/code-quality.json, which GitLab shows. The exit status of the command is that of the pipe (`set -o pipefail`).",
    )
    .option("--title <text>", "what was done", "Spacktainers")
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

function runCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("run")
    .summary("run the committed workflow on this machine")
    .description(
      "Carries out the jobs of .github/workflows/spacktainers.yml, or of .gitlab-ci.yml and the pipelines that it makes, in copies of the working tree, as GitHub or GitLab would for an event: conditions, matrices, outputs and artefacts are worked out; actions that set a runner up are left out. Registries, caches and secrets are those of this machine.",
    )
    .addOption(new Option("--host <name>", "whose pipeline").choices(["github", "gitlab"]).default("github"))
    .addOption(
      new Option("--event <name>", "what happened")
        .choices(["push", "pull_request", "workflow_dispatch", "schedule"])
        .default("push"),
    )
    .option("--label <name>", "pull_request: a label that it has (repeatable)", collect)
    .option("--base <commit>", "push, pull_request: the commit before", "HEAD~1")
    .option("--container <name>", "workflow_dispatch: the container", "all")
    .option("--base-images", "workflow_dispatch: make the base images first")
    .option("--environment <name>", "workflow_dispatch: where to publish")
    .option("--keep <folder>", "keep reports and artefacts there")
    .option("--timeout <minutes>", "most minutes of a step", positiveInteger)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers ci run
  $ spacktainers ci run --event pull_request --label build --base origin/main
  $ spacktainers ci run --event workflow_dispatch --container simulation --environment sandbox`,
    )
    .action(
      verbAction<RunOptions>(program, outcome, async (context, options) => {
        const run =
          options.host === "gitlab"
            ? (await import("../../commands/ci/runGitlab.ts")).runGitlab
            : (await import("../../commands/ci/runPipeline.ts")).runPipeline;
        const result = await run({
          directory: context.directory,
          event: options.event,
          labels: options.label ?? [],
          base: options.base,
          container: options.container,
          baseImages: options.baseImages === true,
          environment: options.environment,
          keep: options.keep === undefined ? undefined : resolve(context.directory, options.keep),
          minutes: options.timeout,
          self: [process.execPath, process.argv[1] ?? ""],
          onLine: (text) => {
            if (!context.json) context.print(text);
          },
          signal: context.signal,
        });
        if (context.json)
          for (const job of result.jobs) context.print(JSON.stringify({ type: "result", ...job }));
        else for (const job of result.jobs) context.print(`${job.state.padEnd(8)}  ${job.name}`);
        return result.failed ? 1 : 0;
      }),
    );
}

interface RunOptions {
  readonly host: "github" | "gitlab";
  readonly event: "push" | "pull_request" | "workflow_dispatch" | "schedule";
  readonly label?: readonly string[];
  readonly base: string;
  readonly container: string;
  readonly baseImages?: boolean;
  readonly environment?: string;
  readonly keep?: string;
  readonly timeout?: number;
}
