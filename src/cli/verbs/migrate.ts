import { Command } from "commander";
import type { MigratedDefinition, MigrateResult } from "../../commands/migrate/migrateSource.ts";
import { counted } from "../../util/counted.ts";
import { formatPlace } from "../../util/errors.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions, collect } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface MigrateOptions {
  readonly into?: string;
  readonly name?: string;
  readonly arch?: string;
  readonly cache?: readonly string[];
  readonly trust?: readonly string[];
  readonly unsigned?: boolean;
}

/** `migrate`: converts a repository, a manifest or a Dockerfile. */
export function migrateVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("migrate")
    .summary("convert a repository, a spack containerize manifest or a Dockerfile")
    .description(
      "SOURCE is a repository of container definitions with Dockerfiles of a builder and a runtime image, a spack.yaml (with a `container:` section, as `spack containerize` reads it), or a Dockerfile that runs Spack; or the folder of one. Reports what it took, what it changed and what is left to do, with file and line. Changes nothing that exists.",
    )
    .argument("<source>", "folder, spack.yaml or Dockerfile");
  return addSelectionOptions(command)
    .option("--into <dir>", "repository to write to (default: that of SOURCE, else this folder)")
    .option("--name <name>", "name of the container (default: that of its folder)")
    .option("--cache <url>", "build cache with the packages (repeatable, in order)", collect)
    .option("--trust <keyfile>", "public key that signs them; it is copied to keys/ (repeatable)", collect)
    .option("--unsigned", "use packages without signatures")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers migrate .
  $ spacktainers migrate simulation/spack.yaml --into my-containers
  $ spacktainers migrate solver/Dockerfile --into my-containers --cache s3://my-cache --trust my-cache.pub`,
    )
    .action(
      verbAction<MigrateOptions>(program, outcome, async (context, options, [source = "."]) => {
        const { migrateSource } = await import("../../commands/migrate/migrateSource.ts");
        const result = await migrateSource({
          directory: context.directory,
          source,
          into: options.into,
          name: options.name,
          arch: options.arch,
          caches: options.cache ?? [],
          trust: options.trust ?? [],
          unsigned: options.unsigned === true,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("migrate", result));
        else context.print(migrateText(result, context.directory));
        return 0;
      }),
    );
}

const titles = { taken: "Taken", changed: "Changed", todo: "Left to do" } as const;

/** What was taken, changed and left, for people. */
function migrateText(result: MigrateResult, directory: string): string {
  const { root, created, kept, containers, findings } = result;
  const lines = [
    `${shownPath(root, directory)}  ${created.length} file${created.length === 1 ? "" : "s"} made`,
  ];
  for (const path of kept) lines.push(`  ${path}  (left as it was)`);
  for (const kind of ["taken", "changed", "todo"] as const) {
    const of = findings.filter((finding) => finding.kind === kind);
    if (of.length === 0) continue;
    lines.push(`${titles[kind]}:`);
    for (const { message, place } of of) {
      const shown = place.file === undefined ? place : { ...place, file: shownPath(place.file, directory) };
      const where = formatPlace(shown);
      lines.push(`  ${where === "" ? "" : `${where}  `}${message}`);
    }
  }
  lines.push("Containers:", ...containers.map((container) => containerLine(container)));
  return lines.join("\n");
}

function containerLine({ name, arch, caches, errors }: MigratedDefinition): string {
  const start = `  ${arch}/${name}`;
  if (errors > 0)
    return `${start}  ${errors === 1 ? "a mistake is" : `${errors} mistakes are`} to be repaired first`;
  if (caches === undefined) return `${start}  next: spacktainers check, then spacktainers build ${name}`;
  switch (caches.state) {
    case "complete":
      return `${start}  the caches have it (${counted(caches.packages, "package")}): spacktainers build ${name}`;
    case "incomplete":
      return `${start}  the caches do not have it: ${caches.problems.join("; ")}`;
    case "unknown":
      return `${start}  whether the caches have it is not known: ${caches.reason}`;
  }
}
