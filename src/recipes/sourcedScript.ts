/** `EnvironmentModifications.from_sourcing_file` of Spack, by reading the script instead of running it. */

import { NotUnderstood, PythonException } from "../python/problem.ts";
import { environmentDifference } from "./environmentDifference.ts";
import type { RecipeFiles } from "./files.ts";
import type { RecipeModification } from "./recipeModification.ts";
import { readShellScript } from "./shellScript.ts";
import { type CallArguments, isTrue, type Value, valuesOf, word } from "./values.ts";

/**
 * Stands for the `PATH` that is there before a script: a list of which nothing is known. No script can write it, as
 * scripts with control characters are not read.
 */
const someEntries = ["\0first", "\0last"];
const somePath = someEntries.join(":");

/** Variables whose changes Spack leaves out: Bash's own, and those of environment modules. */
const leftOut =
  /^(?:(?:SHLVL|_|PWD|OLDPWD|PS1|PS2|ENV|LOADEDMODULES|_LMFILES_|MODULEPATH|MODULERCFILE|MODULESHOME)$|MODULES_|__MODULES_|\w*_mod(?:quar|share)|LMOD_)/;

/**
 * The changes that a script of the image makes.
 *
 * The environment before it has a `PATH` of which nothing is known, and no other variable. Arguments of the script have no
 * effect: a script that reads them is not understood.
 * @param given what the method was called with
 * @throws NotUnderstood with the script's line; PythonException when there is no such file
 */
export function sourcedScript(
  files: RecipeFiles,
  { values: [file = null], named }: CallArguments,
): readonly RecipeModification[] {
  const path = word(file);
  if (files.kindOf(path) !== "file")
    throw new PythonException("RuntimeError", `Trying to source non-existing file: ${path}`);
  for (const name of named.keys())
    if (!["clean", "exclude", "include"].includes(name))
      throw new NotUnderstood(`the argument \`${name}\` of \`from_sourcing_file\``);
  const [exclude, include] = [plainNames(named.get("exclude")), plainNames(named.get("include"))];
  const text = files.text(path);
  if (text === undefined) throw new NotUnderstood(`what the script ${path} does: its text is not kept`);

  const before = new Map([["PATH", somePath]]);
  const effect = readShellScript(text, before);
  if ("reason" in effect)
    throw new NotUnderstood(`what the script ${path} does: line ${effect.line} has ${effect.reason}`);
  for (const [name, value] of effect.exported)
    if (!isPlain(name, value)) throw new NotUnderstood(`what the script ${path} makes of PATH in ${name}`);
  const visible = (environment: ReadonlyMap<string, string>) =>
    new Map(
      [...environment].filter(([name]) => include.has(name) || !(exclude.has(name) || leftOut.test(name))),
    );
  return environmentDifference(
    visible(before),
    visible(effect.exported),
    isTrue(named.get("clean") ?? false),
  );
}

/** Whether a value has the entries of the former `PATH` at most once, whole, and only in `PATH`. */
function isPlain(name: string, value: string): boolean {
  if (!value.includes("\0")) return true;
  const parts = value.split(":");
  const at = parts.indexOf(someEntries[0] ?? "");
  return (
    name === "PATH" &&
    parts[at + 1] === someEntries[1] &&
    !parts.some((part, index) => part.includes("\0") && index !== at && index !== at + 1)
  );
}

/** Names of variables in `exclude` and `include`, which Spack takes for patterns where they look like one. */
function plainNames(value: Value | undefined): ReadonlySet<string> {
  if (value === undefined) return new Set();
  const names = valuesOf(value).map(word);
  if (names.some((name) => /[^\w-]/.test(name))) throw new NotUnderstood("patterns of variables");
  return new Set(names);
}
