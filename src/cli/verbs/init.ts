import { resolve } from "node:path";
import { Command, Option } from "commander";
import type { InitResult } from "../../commands/init/initRepository.ts";
import type { Architecture } from "../../definitions/configuration.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbContext, type VerbOutcome, verbAction } from "../context.ts";
import type { InitAnswers } from "../initForm.ts";
import { collect } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface InitOptions {
  readonly cache?: readonly string[];
  readonly trust?: readonly string[];
  readonly unsigned?: boolean;
  readonly base?: string;
  readonly registry?: string;
  readonly arch?: readonly Architecture[];
  readonly example: boolean;
  readonly builder: boolean;
  readonly sites: boolean;
  readonly ci?: "github" | "gitlab" | "none";
  readonly catalogue?: boolean;
  readonly yes?: boolean;
}

/** `init`: a repository. */
export function initVerb(program: Command, outcome: VerbOutcome): Command {
  return new Command("init")
    .summary("create a repository of containers")
    .description(
      "Creates a repository in DIR. If DIR already has files, overwrites none of them. On a terminal, asks for the values that no option gives; with --yes, or without a terminal, uses the defaults. Without a cache, the repository gets a copy of the demo cache, whose container you can build at once.",
    )
    .argument("[dir]", "folder of the repository (default: this one)")
    .option("--cache <url>", "build cache with your packages (repeatable, in order)", collect)
    .option(
      "--trust <keyfile>",
      "public key to verify its packages; the file is copied to keys/ (repeatable)",
      collect,
    )
    .option("--unsigned", "use packages without signatures")
    .option("--base <base>", "base of the images: bookworm, noble, debian:SUITE, ubuntu:SUITE or image:NAME")
    .option("--registry <host>", "registry to publish to, such as ghcr.io/my-org")
    .addOption(
      new Option("--arch <arch>", "architecture of the containers (repeatable)").argParser(architecture),
    )
    .addOption(
      new Option(
        "--ci <host>",
        "pipelines to write (default: those for the host of git's remote; without a remote: github)",
      ).choices(["github", "gitlab", "none"]),
    )
    .option("--catalogue", "let pipelines publish the catalogue of all containers on the host's pages")
    .option("--no-example", "do not write an example container")
    .option("--no-builder", "do not write Dockerfiles of the builder and runtime images")
    .option("--no-sites", "do not write example sites")
    .option("-y, --yes", "ask no questions; use the defaults for options that are not given")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers init my-containers
  $ spacktainers init --yes
  $ spacktainers init my-containers --cache s3://my-cache --trust my-cache.pub --registry ghcr.io/my-org`,
    )
    .action(
      verbAction<InitOptions>(program, outcome, async (context, options, [folder = "."]) => {
        const root = resolve(context.directory, folder);
        const answers = await answersTo(context, options, root);
        const { initRepository } = await import("../../commands/init/initRepository.ts");
        const made = await initRepository({
          directory: context.directory,
          root,
          ...answers,
          ci: answers.ci === "none" ? undefined : answers.ci,
          catalogue: options.catalogue === true,
          example: options.example,
          sites: options.sites,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("init", made));
        else context.print(initText(made, context.directory));
        return 0;
      }),
    );
}

/** Collects `--arch`. */
function architecture(value: string, previous: readonly Architecture[] | undefined): readonly Architecture[] {
  if (value !== "amd64" && value !== "arm64")
    throw new SpacktainersError("USAGE", `--arch ${value} is not an architecture`, {
      hint: "known are amd64 and arm64",
    });
  return [...new Set<Architecture>([...(previous ?? []), value])];
}

/** What was given, what is answered on a terminal, and defaults. */
async function answersTo(context: VerbContext, options: InitOptions, root: string): Promise<InitAnswers> {
  const { initDefaults, askForRepository } = await import("../initForm.ts");
  const { remoteHost } = await import("../../commands/init/remoteHost.ts");
  const host = await remoteHost(root);
  const given = {
    caches: options.cache,
    trust: options.trust,
    unsigned: options.unsigned,
    base: options.base,
    registry: options.registry,
    architectures: options.arch,
    builder: options.builder ? undefined : false,
    ci: options.ci,
  };
  if (options.yes === true || context.json || process.stdin.isTTY !== true) return initDefaults(given, host);
  return askForRepository(given, host, {
    input: process.stdin,
    output: process.stderr,
    signal: context.signal,
  });
}

/** What was made, and what to do next, for people. */
function initText({ root, created, kept, example }: InitResult, directory: string): string {
  const shown = shownPath(root, directory);
  const isHere = shown === root && root === directory;
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
  const steps = [
    ...(isHere ? [] : [`cd ${shown}`]),
    ...(example === undefined
      ? ["spacktainers add NAME SPEC"]
      : [
          `spacktainers build ${example.name}`,
          ...(example.command === undefined
            ? []
            : [`spacktainers run ${example.name} -- ${example.command}`]),
        ]),
  ];
  const top = [...new Set(created.map((path) => path.replace(/\/.*$/, "/")))].sort();
  return [
    `${isHere ? "." : shown}  ${count(created.length, "file")} made${kept.length === 0 ? "" : `, ${kept.length} left as they were`}`,
    ...top.map((path) => `  ${path}`),
    ...kept.map((path) => `  ${path}  (left as it was)`),
    "Next:",
    ...steps.map((step) => `  ${step}`),
  ].join("\n");
}
