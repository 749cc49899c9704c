import { resolve } from "node:path";
import { Command, Option } from "commander";
import { oneError } from "../../util/errors.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addGlobalOptions, collect, positiveInteger } from "../options.ts";
import { resultLine } from "../resultLine.ts";

import {
  ciRebaseCommand,
  credentialsCommand,
  packagesCommand,
  planCommand,
  publishCommand,
  reportCommand,
} from "./ciJobs.ts";

/** `ci`: pipelines, written, checked, run here; and what their jobs call. */
export function ciVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("ci")
    .summary("write, check and run pipelines of GitHub Actions and GitLab")
    .description(
      "A pipeline builds what changed: first the base images, then the packages that no cache has (each once for all containers), and then the containers, which it tests and publishes. The section `ci:` of spacktainers.yaml configures the pipelines.",
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
    ciRebaseCommand,
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
    .option("--child <folder>", "print the child pipeline for a plan (`ci plan --output FOLDER`)")
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
      "Writes the pipeline files, and a page that lists the secrets and variables that they need. The same repository always gives the same files.",
    )
    .option("--force", "replace files that spacktainers did not write")
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
          if (context.json)
            context.print(resultLine(host === "github" ? "ci github" : "ci gitlab", { host, files }));
          else for (const { path, state } of files) context.print(`${state}  ${path}`);
          return 0;
        },
      ),
    );
}

function checkCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("check")
    .summary("check whether the pipeline files are up to date")
    .description(
      "Compares the committed files with what `ci github` and `ci gitlab` would write, and looks for undocumented secrets in other workflows. The exit status is 3 if something differs.",
    )
    .addHelpText("after", "\nExamples:\n  $ spacktainers ci check")
    .action(
      verbAction(program, outcome, async (context) => {
        const { checkPipelines } = await import("../../commands/ci/writePipelines.ts");
        const { hosts, files, errors } = await checkPipelines(context.directory);
        if (context.json) context.print(resultLine("ci check", { hosts, files, failed: errors.length > 0 }));
        else for (const file of files) context.print(`as written  ${file}`);
        if (errors.length > 0) throw oneError(errors);
        return 0;
      }),
    );
}

function runCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("run")
    .summary("run the committed workflow on this machine")
    .description(
      "Runs the jobs of .github/workflows/spacktainers.yml, or of .gitlab-ci.yml and the pipelines that it makes, as GitHub or GitLab would for an event, in copies of the working tree. Evaluates conditions, matrices, outputs and artefacts, and skips actions that set up a runner. Uses this machine's registries, caches and secrets.",
    )
    .addOption(
      new Option("--host <name>", "which pipeline to run").choices(["github", "gitlab"]).default("github"),
    )
    .addOption(
      new Option("--event <name>", "event to run it for")
        .choices(["push", "pull_request", "workflow_dispatch", "schedule"])
        .default("push"),
    )
    .option("--label <name>", "pull_request: a label of the pull request (repeatable)", collect)
    .option("--base <commit>", "push, pull_request: the commit to compare with", "HEAD~1")
    .option("--container <name>", "workflow_dispatch: the container", "all")
    .option("--base-images", "workflow_dispatch: also make the base images")
    .option("--environment <name>", "workflow_dispatch: where to publish")
    .option("--keep <folder>", "keep reports and artefacts in this folder")
    .option("--timeout <minutes>", "time limit of a step, in minutes", positiveInteger)
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
        if (context.json) for (const job of result.jobs) context.print(resultLine("ci run", job));
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
