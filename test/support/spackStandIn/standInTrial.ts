import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeWorkplace, type Workplace } from "../cli.ts";
import { makeSpackStandIn, type SpackStandIn, type StandInRecipe } from "./spackStandIn.ts";

/** A repository whose packages a stand-in for Spack builds. */
export interface Trial extends SpackStandIn {
  readonly work: Workplace;
  /** While this file is there `tool` fails in its phase `build`; with `-hang` behind its name, `slow` does not end there. */
  readonly trouble: string;
}

/** The packages that there are. */
const recipesWith = (trouble: string): Readonly<Record<string, StandInRecipe>> => ({
  zlib: { versions: ["1.3.1", "1.2.13"], build: ["gmake", "compiler"] },
  hdf5: { versions: ["1.14"], build: ["cmake", "compiler"], link: ["zlib"] },
  app: { versions: ["2.0"], build: ["compiler"], link: ["hdf5"], run: ["tool"] },
  tool: { versions: ["0.9"], build: ["compiler"], fail: { phase: "build", file: trouble } },
  slow: { build: ["compiler"], link: ["zlib"], hang: { phase: "build", file: `${trouble}-hang` } },
  cmake: { build: ["compiler"] },
  compiler: {},
  gmake: { external: "/usr" },
});

/**
 * Makes a repository with a container `sim`.
 *
 * @param configuration lines of `spacktainers.yaml` besides those of Spack and the base
 */
export async function makeTrial(specs: readonly string[], configuration = ""): Promise<Trial> {
  const work = makeWorkplace();
  const trouble = work.path("trouble");
  const standIn = await makeSpackStandIn(work.path("stand-in"), recipesWith(trouble));
  writeFileSync(
    work.path("spacktainers.yaml"),
    `${standIn.section}${configuration}base: { scratch: true }\nlinkage: { allow-unresolved: [/bin/sh] }\n`,
  );
  define(work, "sim", specs);
  return { ...standIn, work, trouble };
}

/** Writes the definition of a container. */
export function define(work: Workplace, name: string, specs: readonly string[]): void {
  const folder = work.path("container_definitions/amd64", name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "spack.yaml"),
    `spack:\n  specs:\n${specs.map((spec) => `  - ${spec}\n`).join("")}`,
  );
}

/** The lock of `sim`. */
export const lockOf = (work: Workplace) =>
  JSON.parse(readFileSync(work.path("container_definitions/amd64/sim/spack.lock"), "utf8")) as {
    roots: { hash: string; spec: string }[];
    concrete_specs: Record<string, { name: string; hash: string }>;
  };

/** Names of the packages that Spack was asked to build, in that order. */
export function installsIn(work: Workplace, commands: readonly (readonly string[])[]): readonly string[] {
  const { concrete_specs: specs } = lockOf(work);
  return commands
    .filter(([command]) => command === "install")
    .map((words) => specs[words.at(-1)?.slice(1) ?? ""]?.name ?? "?");
}
