/** Why a command of an epilogue failed, from what it said last. */
import { SpacktainersError } from "../../util/errors.ts";

/** What Buildah adds when a command has failed. */
const engineWords = /^(?:subprocess exited with status \d+|Error: exit status \d+)$/;

/** The last of what a command says. */
export class OutputTail {
  #text = "";

  add(chunk: Buffer): void {
    this.#text = (this.#text + chunk.toString("utf8")).slice(-65_536);
  }

  /** Its last lines that say something. */
  lines(count: number): readonly string[] {
    return this.#text
      .split(/[\r\n]+/)
      .map((line) => line.trim())
      .filter((line) => line !== "" && !engineWords.test(line))
      .slice(-count);
  }
}

/** What programs say when they would need the network. */
const networkTrouble =
  /Temporary failure (?:in name resolution|resolving)|Could not resolve|Network is unreachable|network unreachable|Name or service not known|Unable to locate package|bad address/i;

/**
 * The error for a command that failed.
 *
 * @param run whether it had the network, and whether it might have had it
 */
export function commandFailure(
  status: number,
  output: OutputTail,
  { network, isAllowed }: { readonly network: "host" | "none"; readonly isAllowed: boolean },
): SpacktainersError {
  const said = output.lines(20);
  const last =
    said.findLast((line) => /error|E:|fail|not found|cannot|denied/i.test(line)) ?? said.at(-1) ?? "";
  const offline = network === "none" && said.some((line) => networkTrouble.test(line));
  const missing = status === 127 && /apt-get|apt\b/.test(last);
  return new SpacktainersError(
    "PROCESS_FAILED",
    `the command ended with status ${status}${last === "" ? "" : `: ${last.slice(0, 300)}`}`,
    {
      hint: missing
        ? "the base has no apt: add it with `base: packages:` in spacktainers.yaml"
        : offline && !isAllowed
          ? "commands of an epilogue have no network unless `epilogue: network: true` or --epilogue-network allows it"
          : `its last output: ${said.slice(-5).join(" | ").slice(0, 1000)}`,
    },
  );
}
