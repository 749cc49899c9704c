import type { Command } from "commander";
import { commandModel } from "../commandModel.ts";
import { bashScript } from "./bashScript.ts";
import { fishScript } from "./fishScript.ts";
import { zshScript } from "./zshScript.ts";

/**
 * The completion script of a program for a shell.
 *
 * @param program has all verbs
 * @param shell `bash`, `zsh` or `fish`
 */
export function completionScript(program: Command, shell: string): string {
  const model = commandModel(program);
  if (shell === "zsh") return zshScript(model);
  return shell === "fish" ? fishScript(model) : bashScript(model);
}
