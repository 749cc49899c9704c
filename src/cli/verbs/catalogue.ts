import { Command, InvalidArgumentError } from "commander";
import { counted } from "../../util/counted.ts";
import { formatBytes } from "../../util/formatBytes.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addGlobalOptions, addSelectionOptions, collect } from "../options.ts";
import { resultLine } from "../resultLine.ts";

/** Where a catalogue is when nothing else is said. */
const usualFolder = "catalogue";

/** `catalogue`: the web pages of all containers. */
export function catalogueVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("catalogue")
    .summary("make web pages of the containers, to browse and search")
    .description(
      "A catalogue is a folder of web pages: what containers there are, what is in them, whether they run at a site, and how to get them. It needs no server: it can be read from a disk, or published on GitHub Pages.",
    )
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers catalogue build
  $ spacktainers catalogue build --into public --base-url https://my-group.github.io/containers
  $ spacktainers catalogue serve`,
    );
  for (const make of [buildCommand, serveCommand])
    command.addCommand(addGlobalOptions(make(program, outcome)).exitOverride());
  return command;
}

interface BuildOptions {
  readonly into: string;
  readonly site?: readonly string[];
  readonly sites: boolean;
  readonly title?: string;
  readonly baseUrl?: string;
  readonly arch?: string;
  readonly force?: boolean;
}

function buildCommand(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("build")
    .summary("write the pages")
    .description(
      "Writes the pages of all containers into a folder: of what the configured registries have by a tag, else of what is built here, else of what is locked. It says what it could not reach, and goes on. The folder appears whole or not at all; an earlier catalogue is replaced.",
    )
    .argument("[names...]", "containers to show (default: all)")
    .option("--into <dir>", "folder to write", usualFolder)
    .option(
      "--site <name>",
      "hold the newest images against this site only (repeatable; default: all that are described)",
      collect,
    )
    .option("--no-sites", "hold them against none: no layer of an image is read for it")
    .option("--title <text>", "title of the pages (default: from `image: vendor:` of the configuration)")
    .option("--base-url <url>", "where the pages will be, for the feed")
    .option("--force", "replace a folder that is no catalogue");
  return addSelectionOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers catalogue build
  $ spacktainers catalogue build 'neuro*' --into public --site jed
  $ spacktainers catalogue build --no-sites --base-url https://my-group.github.io/containers`,
    )
    .action(
      verbAction<BuildOptions>(program, outcome, async (context, options, names) => {
        const { buildCatalogue } = await import("../../commands/catalogue/buildCatalogue.ts");
        const { directory, reporter, signal } = context;
        const built = await buildCatalogue({
          directory,
          names,
          arch: options.arch,
          into: options.into,
          sites: options.sites ? options.site : [],
          title: options.title,
          baseUrl: options.baseUrl,
          force: options.force === true,
          emit: reporter.emit,
          signal,
        });
        reporter.close();
        const { into, containers, images, packages, files, bytes } = built;
        if (context.json) context.print(resultLine("catalogue build", built));
        else
          context.print(
            `${counted(containers, "container")} (${counted(images, "image")}), ${counted(packages, "package")}: ${counted(files, "file")}, ${formatBytes(bytes)} in ${shownPath(into, directory)}\n  open ${shownPath(into, directory)}/index.html, or run: spacktainers catalogue serve${options.into === usualFolder ? "" : ` --from ${options.into}`}`,
          );
        return 0;
      }),
    );
}

function serveCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("serve")
    .summary("show the pages in a browser of this machine")
    .description(
      "Serves a catalogue that was built, to this machine only (127.0.0.1), until it is interrupted.",
    )
    .option("--from <dir>", "folder of the catalogue", usualFolder)
    .option("--port <number>", "port; 0: any that is free", portNumber, 8080)
    .addHelpText(
      "after",
      "\nExamples:\n  $ spacktainers catalogue serve\n  $ spacktainers catalogue serve --from public --port 0",
    )
    .action(
      verbAction<{ from: string; port: number }>(program, outcome, async (context, options) => {
        const { serveCatalogue } = await import("../../commands/catalogue/serveCatalogue.ts");
        const { directory, signal } = context;
        const { url, ended } = await serveCatalogue({ directory, ...options, signal });
        if (context.json) context.print(resultLine("catalogue serve", { url }));
        else context.print(`${url}  (Ctrl-C ends it)`);
        await ended;
        return 0;
      }),
    );
}

function portNumber(value: string): number {
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535) throw new InvalidArgumentError("not a port");
  return port;
}
