import { Command } from "commander";
import { type VerbOutcome, verbAction } from "../context.ts";
import { resultLine } from "../resultLine.ts";

/** `version`: which program this is, and what it runs on. */
export function versionVerb(program: Command, outcome: VerbOutcome): Command {
  return new Command("version")
    .summary("print the version of the program and of Node.js")
    .description(
      "Prints the versions of the program and of Node.js, the commit that the program was built from (if known), and the platform. Include it in bug reports.",
    )
    .addHelpText("after", "\nExamples:\n  $ spacktainers version\n  $ spacktainers version --json")
    .action(
      verbAction<object>(program, outcome, async (context) => {
        const { programVersion } = await import("../../commands/version/programVersion.ts");
        const facts = programVersion();
        if (context.json) context.print(resultLine("version", facts));
        else {
          const { version, commit, node, platform, arch, libc } = facts;
          const made = commit === undefined ? "" : ` (${commit.slice(0, 12)})`;
          context.print(`spacktainers ${version}${made}`);
          context.print(`Node.js ${node}, ${platform} ${arch}${libc === undefined ? "" : `, ${libc}`}`);
        }
        return 0;
      }),
    );
}
