import { closeSync, readSync } from "node:fs";
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { imageForms } from "../../pipeline/images/imageForms.ts";
import { counted } from "../../util/counted.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { formatBytes, formatDuration } from "../../util/formatBytes.ts";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addGlobalOptions, addSelectionOptions, collect, positiveInteger } from "../options.ts";
import { resultLine } from "../resultLine.ts";
import { writableStream } from "../standardStreams.ts";
import { table } from "../table.ts";

interface ConvertOptions {
  readonly arch?: string;
  readonly output?: string;
  readonly format?: "sif" | "squashfs";
  readonly compression?: "zstd" | "gzip";
  readonly level?: number;
  readonly sign?: string;
  readonly passphraseEnv?: string;
  readonly passphraseFd?: number;
  readonly force?: boolean;
}

/** `sif`: an image as a SIF file; and reading such files. */
export function sifVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("sif")
    .summary("write an image as a SIF file; list and verify SIF files")
    .description(
      "Writes an image as a file that Apptainer and Singularity run. Needs no daemon and no special rights, and unpacks nothing. For a container, the source is what was built, else what is published.",
    )
    .argument("<source>", imageForms)
    .enablePositionalOptions();
  addSelectionOptions(command)
    .option("-o, --output <file>", "file to write (default: NAME.sif here)")
    .addOption(
      new Option(
        "--format <format>",
        "format: SIF, or the file system alone (default: by the ending of FILE)",
      ).choices(["sif", "squashfs"]),
    )
    .addOption(
      new Option(
        "--compression <name>",
        "compression of the file system (default: zstd if the tool has it)",
      ).choices(["zstd", "gzip"]),
    )
    .option("--level <n>", "level of the compression (default: zstd 3, gzip 6)", positiveInteger)
    .option("--sign <keyfile>", "sign with this armoured OpenPGP private key")
    .option("--passphrase-env <name>", "variable with the passphrase of the key")
    .option("--passphrase-fd <n>", "file descriptor to read the passphrase of the key from", descriptorNumber)
    .option("--force", "replace a file that spacktainers did not make")
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers sif hello-mpi
  $ spacktainers sif oci-archive:image.tar -o image.sif --compression gzip
  $ spacktainers sif hello-mpi --sign private.asc --passphrase-env SIGNING_PASSPHRASE
  $ spacktainers sif list hello-mpi.sif
  $ spacktainers sif verify hello-mpi.sif --key public.asc
  $ spacktainers sif dump hello-mpi.sif 1
  $ spacktainers sif push hello-mpi.sif oras://ghcr.io/my-org/spack-hello-mpi:1.0.0-sif --image 1.0.0
  $ spacktainers sif push hello-mpi.sif s3://my-images/sif/`,
    )
    .action(
      verbAction<ConvertOptions>(program, outcome, async (context, options, [source = ""]) => {
        const { convertImage } = await import("../../pipeline/images/convertImage.ts");
        const { openSigner } = await import("../../openpgp/signer.ts");
        if (options.sign === undefined && (options.passphraseEnv ?? options.passphraseFd) !== undefined)
          throw new SpacktainersError("USAGE", "--passphrase-env and --passphrase-fd need --sign");
        const signer =
          options.sign === undefined
            ? undefined
            : await openSigner(resolve(context.directory, options.sign), async () => passphrase(options));
        const result = await convertImage({
          directory: context.directory,
          source,
          arch: options.arch,
          output: options.output,
          format: options.format,
          compression: options.compression,
          level: options.level,
          signer,
          force: options.force === true,
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) {
          context.print(resultLine("sif", result));
          return 0;
        }
        context.print(
          `${result.format}:${shownPath(result.path, context.directory)}  ${formatBytes(result.size)}, ${counted(result.files, "file")} of ${formatBytes(result.bytes)}  (${result.compression} ${result.level} by ${result.tool}, ${formatDuration(result.milliseconds)})`,
        );
        if (result.signedBy !== undefined) context.print(`  signed by ${result.signedBy}`);
        context.print(`  ${result.digest}`);
        return 0;
      }),
    );
  for (const make of [listCommand, verifyCommand, dumpCommand, pushCommand])
    command.addCommand(addGlobalOptions(make(program, outcome)).exitOverride());
  return command;
}

function listCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("list")
    .description("Lists what is in a SIF file: definition, documents, file systems, signatures.")
    .argument("<file>", "SIF file")
    .action(
      verbAction(program, outcome, async (context, _, [file = ""]) => {
        const { listSif } = await import("../../commands/sif/inspectSif.ts");
        const { objects, ...facts } = await listSif(file, context.directory);
        if (context.json) {
          context.print(resultLine("sif list", { ...facts, objects }));
          return 0;
        }
        context.print(`${facts.id}  ${facts.architecture}  ${facts.created}`);
        const rows = objects.map((object) => [
          String(object.id),
          object.group === undefined ? "-" : String(object.group),
          object.link === undefined
            ? "-"
            : "group" in object.link
              ? `group ${object.link.group}`
              : String(object.link.object),
          formatBytes(object.size),
          object.type,
          [object.name, object.fileSystem, object.use, object.architecture, object.hash, object.fingerprint]
            .filter((part) => part !== undefined && part !== "")
            .join(" "),
        ]);
        context.print(table(["id", "group", "about", "size", "type", "what"], rows));
        return 0;
      }),
    );
}

function verifyCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("verify")
    .description(
      "Verifies a signed SIF file: a signature of a trusted key must cover everything in it. The exit status is 5 if it does not.",
    )
    .argument("<file>", "SIF file")
    .option("--key <keyfile>", "trust this armoured OpenPGP public key (repeatable)", collect)
    .action(
      verbAction<{ readonly key?: readonly string[] }>(
        program,
        outcome,
        async (context, options, [file = ""]) => {
          const { verifySifFile } = await import("../../commands/sif/inspectSif.ts");
          const result = await verifySifFile(file, options.key ?? [], context.directory);
          if (context.json) context.print(resultLine("sif verify", { verified: true, ...result }));
          else
            context.print(
              `verified: ${result.objects.length} objects, signed by ${result.signedBy.join(", ")}`,
            );
          return 0;
        },
      ),
    );
}

function dumpCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("dump")
    .description("Writes one object of a SIF file to standard output, or to a file.")
    .argument("<file>", "SIF file")
    .argument("<id>", "the object's number, as `sif list` shows it")
    .option("-o, --output <file>", "write to this file instead")
    .option("--force", "replace an existing file")
    .action(
      verbAction<{ readonly output?: string; readonly force?: boolean }>(
        program,
        outcome,
        async (context, options, [file = "", id = ""]) => {
          const { dumpSif } = await import("../../commands/sif/inspectSif.ts");
          await dumpSif(
            {
              directory: context.directory,
              path: file,
              id: /^\d{1,9}$/.test(id) ? Number(id) : 0,
              output: options.output,
              force: options.force === true,
              signal: context.signal,
            },
            writableStream(context.output),
          );
          return 0;
        },
      ),
    );
}

function pushCommand(program: Command, outcome: VerbOutcome): Command {
  return new Command("push")
    .description(
      "Publishes a SIF file: to a registry, as Apptainer does (oras://NAME[:TAG]), or to a bucket (s3://BUCKET/KEY; a KEY ending with / is a folder). Prints where it is.",
    )
    .argument("<file>", "SIF file")
    .argument("<destination>", "oras://… or s3://…")
    .option(
      "--image <reference>",
      "oras: tag or digest of the image in that repository that the file was made from",
    )
    .action(
      verbAction<{ readonly image?: string }>(
        program,
        outcome,
        async (context, options, [file = "", destination = ""]) => {
          const { pushSif } = await import("../../commands/sif/pushSif.ts");
          const result = await pushSif({
            directory: context.directory,
            path: file,
            destination,
            image: options.image,
            emit: context.reporter.emit,
            signal: context.signal,
          });
          context.reporter.close();
          if (context.json) context.print(resultLine("sif push", result));
          else
            context.print(
              `${result.url}  ${formatBytes(result.size)}${result.sent ? "" : " (was there)"}\n  ${result.digest}`,
            );
          return 0;
        },
      ),
    );
}

function descriptorNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("not the number of a file descriptor");
  return Number(text);
}

/** Longest passphrase, in bytes. */
const longestPassphrase = 64 * 1024;

/** The passphrase of the key; never from the command line, which everybody on the machine can read. */
function passphrase({ passphraseEnv, passphraseFd }: ConvertOptions): string | undefined {
  if (passphraseEnv !== undefined) {
    const value = process.env[passphraseEnv];
    if (value === undefined)
      throw new SpacktainersError("USAGE", `--passphrase-env: the variable ${passphraseEnv} is not set`);
    return value;
  }
  if (passphraseFd === undefined) return undefined;
  const bytes = Buffer.alloc(longestPassphrase);
  let length = 0;
  try {
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      read = readSync(passphraseFd, bytes, length, bytes.length - length, null);
    closeSync(passphraseFd);
  } catch (cause) {
    throw new SpacktainersError("USAGE", `--passphrase-fd: ${passphraseFd} cannot be read`, { cause });
  }
  return bytes.toString("utf8", 0, length).replace(/\r?\n$/, "");
}
