/** The script that login shells read to use a view: `/etc/profile.d/z10_spack_environment.sh`. */
import { shellWord } from "../util/shellQuote.ts";
import {
  type EnvironmentModification,
  type VariableEffect,
  variableEffects,
} from "./environmentModification.ts";

/** Path of the script in the image. */
export const environmentScriptPath = "/etc/profile.d/z10_spack_environment.sh";

/** Where Apptainer and Singularity put libraries of the host (GPU drivers). */
export const hostLibraries = "/.singularity.d/libs";

/**
 * The script: POSIX shell, starts no process, can be read any number of times and under `set -eu`, adds to lists and
 * leaves what is in them in place. Where `LD_LIBRARY_PATH` is in use, the container runtime's libraries stay on it.
 */
export function environmentScript(modifications: readonly EnvironmentModification[]): string {
  const effects = variableEffects(modifications);
  const lists = effects.filter((effect) => effect.value === undefined);
  const lines = ["# Written by spacktainers: makes the packages of the environment usable."];
  if (lists.some((effect) => effect.removed.length > 0)) lines.push(...removeFunction);
  lines.push(...addFunction);
  for (const effect of effects) lines.push(...effectLines(effect));
  lines.push(
    `if [ -n "\${LD_LIBRARY_PATH:-}" ]; then`,
    `  spacktainers_add LD_LIBRARY_PATH ${hostLibraries} : last`,
    "fi",
    "unset -f spacktainers_add",
  );
  if (lists.some((effect) => effect.removed.length > 0)) lines.push("unset -f spacktainers_remove");
  lines.push("unset spacktainers_now spacktainers_rest spacktainers_kept spacktainers_item", "");
  return lines.join("\n");
}

const addFunction = [
  "# NAME ENTRY SEPARATOR [last]: puts ENTRY into the list NAME unless it is there.",
  "spacktainers_add() {",
  `  eval "spacktainers_now=\\\${$1:-}"`,
  `  case "$3$spacktainers_now$3" in`,
  `    *"$3$2$3"*) ;;`,
  "    *)",
  `      if [ -z "$spacktainers_now" ]; then spacktainers_now=$2`,
  `      elif [ "\${4:-}" = last ]; then spacktainers_now=\${spacktainers_now%"$3"}$3$2`,
  `      else spacktainers_now=$2$3$spacktainers_now; fi`,
  `      eval "$1=\\$spacktainers_now" ;;`,
  "  esac",
  `  export "$1"`,
  "}",
];

const removeFunction = [
  "# NAME ENTRY SEPARATOR: takes ENTRY out of the list NAME.",
  "spacktainers_remove() {",
  `  eval "spacktainers_rest=\\\${$1:-}"`,
  `  [ -n "$spacktainers_rest" ] || return 0`,
  "  spacktainers_rest=$spacktainers_rest$3",
  "  spacktainers_kept=",
  `  while [ -n "$spacktainers_rest" ]; do`,
  `    spacktainers_item=\${spacktainers_rest%%"$3"*}`,
  `    spacktainers_rest=\${spacktainers_rest#*"$3"}`,
  `    if [ "$spacktainers_item" != "$2" ]; then`,
  `      spacktainers_kept=$spacktainers_kept\${spacktainers_kept:+$3}$spacktainers_item`,
  "    fi",
  "  done",
  `  eval "$1=\\$spacktainers_kept"`,
  `  export "$1"`,
  "}",
];

function effectLines(effect: VariableEffect): string[] {
  const { name, value } = effect;
  if (value === null) return [`unset ${name}`];
  const separator = shellWord(effect.separator);
  const lines: string[] = [];
  if (value !== undefined) lines.push(`export ${name}=${shellWord(value)}`);
  for (const entry of effect.removed)
    lines.push(`spacktainers_remove ${name} ${shellWord(entry)} ${separator}`);
  for (const entry of effect.prepended.toReversed())
    lines.push(`spacktainers_add ${name} ${shellWord(entry)} ${separator}`);
  for (const entry of effect.appended)
    lines.push(`spacktainers_add ${name} ${shellWord(entry)} ${separator} last`);
  if (name === "MANPATH")
    // The empty entry at the end stands for the system's manual pages.
    lines.push(`case "\${MANPATH:-}" in *:) ;; *) export MANPATH="\${MANPATH:-}:" ;; esac`);
  return lines;
}
