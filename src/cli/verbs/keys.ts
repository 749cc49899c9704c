import { Command } from "commander";
import { shownPath } from "../../util/shownPath.ts";
import { type VerbOutcome, verbAction } from "../context.ts";
import { resultLine } from "../resultLine.ts";

/** `keys`: a key pair for signing images. */
export function keysVerb(program: Command, outcome: VerbOutcome): Command {
  return new Command("keys")
    .summary("make a key pair for signing images")
    .description(
      "Makes PREFIX.key, encrypted with the password in the variable COSIGN_PASSWORD, and PREFIX.pub, in cosign's format. Overwrites no file.",
    )
    .argument("[prefix]", "start of the file names", "cosign")
    .addHelpText(
      "after",
      "\nExamples:\n  $ COSIGN_PASSWORD=… spacktainers keys\n  $ spacktainers keys release",
    )
    .action(
      verbAction<object>(program, outcome, async (context, _options, [prefix = "cosign"]) => {
        const { makeKeyPair } = await import("../../pipeline/describe/keyFiles.ts");
        const pair = await makeKeyPair(prefix, context.directory);
        if (context.json) context.print(resultLine("keys", pair));
        else {
          context.print(`${shownPath(pair.privateKey, context.directory)}  keep it secret`);
          context.print(`${shownPath(pair.publicKey, context.directory)}  sha256:${pair.fingerprint}`);
        }
        return 0;
      }),
    );
}
