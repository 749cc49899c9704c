import { Command, InvalidArgumentError, Option } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { addSelectionOptions } from "../options.ts";
import { resultLine } from "../resultLine.ts";

interface SignOptions {
  readonly arch?: string;
  readonly key?: string;
  readonly keyless?: boolean;
  readonly fulcioUrl?: string;
  readonly rekorUrl?: string;
  readonly form?: "tags" | "bundles";
  readonly annotation?: Readonly<Record<string, string>>;
}

/** `sign`: an image that is in a registry. */
export function signVerb(program: Command, outcome: VerbOutcome): Command {
  const command = new Command("sign")
    .summary("sign a published image")
    .description(
      "Signs an image in a registry, in cosign's formats; for an index, also every image in it. `push` signs images if the configuration names a key. The key's password comes from COSIGN_PASSWORD.",
    )
    .argument("<image>", "a container's name, or [docker://|oras://]HOST/PATH[:TAG][@DIGEST]");
  return addSelectionOptions(command)
    .option("--key <key>", "private key: a file, or env://NAME (default: signing: key: of the configuration)")
    .option(
      "--keyless",
      "sign with the identity of the CI job and Sigstore's public instance, instead of a key",
    )
    .option("--fulcio-url <url>", "certificate authority of another Sigstore instance")
    .option("--rekor-url <url>", "log of another Sigstore instance")
    .addOption(new Option("--form <form>", "write only this form of signatures").choices(["tags", "bundles"]))
    .option("--annotation <name=value>", "a claim in the signature (repeatable)", collectPairs)
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers sign hello-mpi
  $ spacktainers sign ghcr.io/my-org/spack-hello-mpi:1.0.0 --key cosign.key
  $ spacktainers sign ghcr.io/my-org/spack-hello-mpi:1.0.0 --keyless`,
    )
    .action(
      verbAction<SignOptions>(program, outcome, async (context, options, [image = ""]) => {
        const { signImages } = await import("../../commands/sign/signImages.ts");
        const signed = await signImages({
          directory: context.directory,
          image,
          arch: options.arch,
          key: options.key,
          keyless:
            options.keyless !== true
              ? undefined
              : {
                  fulcioUrl: options.fulcioUrl,
                  rekorUrl: options.rekorUrl,
                },
          forms: options.form === undefined ? undefined : [options.form],
          annotations: options.annotation ?? {},
          emit: context.reporter.emit,
          signal: context.signal,
        });
        context.reporter.close();
        if (context.json) context.print(resultLine("sign", signed));
        else {
          context.print(signed.attached.length === 0 ? `${signed.image}  is already signed` : signed.image);
          for (const { title, digest } of signed.attached) context.print(`  ${title}  ${digest}`);
        }
        return 0;
      }),
    );
}

function collectPairs(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const equals = text.indexOf("=");
  if (equals <= 0) throw new InvalidArgumentError("not NAME=VALUE");
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}
