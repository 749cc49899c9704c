/** A Spack that takes seconds (`./spack.py`), with recipes of a test's own, as a checkout that a configuration can name. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findPython } from "../../../src/spack/python.ts";
import { commandExists } from "../commandExists.ts";
import { makeSolverWheels } from "../solverWheels.ts";

/** What the stand-in needs on a machine. */
export const canStandIn: boolean = [
  "python3",
  "git",
  "gcc",
  "g++",
  "make",
  "patch",
  "xz",
  "unzip",
  "file",
].every(commandExists);

/** A package of the stand-in; see `spack.py`. */
export interface StandInRecipe {
  readonly versions?: readonly string[];
  readonly build?: readonly string[];
  readonly link?: readonly string[];
  readonly run?: readonly string[];
  readonly seconds?: number;
  readonly fail?: { readonly phase: string; readonly file: string };
  readonly hang?: { readonly phase: string; readonly file: string };
  readonly external?: string;
}

/** Where the parts of a stand-in are. */
export interface SpackStandIn {
  readonly spack: string;
  readonly recipes: string;
  readonly wheels: string;
  /** `spack:` of a configuration that uses it. */
  readonly section: string;
  /** The command lines it was started with since this was asked last: what follows the environment. */
  commands(): readonly (readonly string[])[];
}

/** Makes a stand-in below a folder. */
export async function makeSpackStandIn(
  folder: string,
  recipes: Readonly<Record<string, StandInRecipe>>,
): Promise<SpackStandIn> {
  const spack = join(folder, "spack");
  mkdirSync(join(spack, "bin"), { recursive: true });
  mkdirSync(join(spack, "lib/spack/spack"), { recursive: true });
  copyFileSync(join(import.meta.dirname, "spack.py"), join(spack, "bin/spack"));
  writeFileSync(join(spack, "lib/spack/spack/__init__.py"), '__version__ = "1.1.0"\n');
  const repository = join(folder, "recipes");
  mkdirSync(repository, { recursive: true });
  writeFileSync(join(repository, "repo.yaml"), "repo:\n  namespace: builtin\n  api: v2.2\n");
  writeFileSync(join(repository, "recipes.json"), JSON.stringify(recipes, undefined, 1));
  const wheels = join(folder, "wheels");
  makeSolverWheels(wheels, await findPython());
  const log = join(spack, "commands.jsonl");
  return {
    commands: () => {
      const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
      rmSync(log, { force: true });
      return lines.map((line) => (JSON.parse(line) as string[]).slice(2));
    },
    spack,
    recipes: repository,
    wheels,
    section: `spack: { url: ${spack}, repos: [${repository}], wheels: ${wheels}, padded_length: 200 }\n`,
  };
}
