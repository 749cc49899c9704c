import { Argument, Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { resultLine } from "../resultLine.ts";

/** `completion`: what makes a shell complete command lines of the program. */
export function completionVerb(program: Command, outcome: VerbOutcome): Command {
  return new Command("completion")
    .summary("print a shell completion script")
    .description(
      "Prints a script that makes a shell complete verbs, options and their values, and the names of the repository's containers, sites and build caches.",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      `
Examples:
  $ spacktainers completion bash > ~/.local/share/bash-completion/completions/spacktainers
  $ spacktainers completion zsh > ~/.zfunc/_spacktainers      # a folder in fpath
  $ spacktainers completion fish > ~/.config/fish/completions/spacktainers.fish`,
    )
    .action(
      verbAction<object>(program, outcome, async (context, _options, [shell = "bash"]) => {
        const { completionScript } = await import("../completion/completionScript.ts");
        const script = completionScript(program, shell);
        if (context.json) context.print(resultLine("completion", { shell, script }));
        else context.output.write(script);
        return 0;
      }),
    );
}
