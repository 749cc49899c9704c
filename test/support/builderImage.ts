/** A builder image for the conformance tests of executors: a shell and few programs of this machine, for every engine. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BuilderEngine } from "../../src/definitions/executorNames.ts";
import { apptainerTrouble, mountVariables, pathWithApptainer } from "./apptainer.ts";
import { commandExists } from "./commandExists.ts";
import { hostPrograms, writeTestLayout } from "./hostImage.ts";
import { podmanEnvironment, podmanTrouble } from "./podman.ts";

const programs = ["sh", "cat", "echo", "pwd", "sleep", "setsid", "head", "tr", "env"];

/** Writes the image as an OCI layout. */
export async function writeBuilderLayout(folder: string): Promise<string> {
  return writeTestLayout(folder, { layers: [hostPrograms(programs)] });
}

/** Why an engine cannot be tried here, or undefined. */
export function engineTrouble(engine: BuilderEngine): string | undefined {
  switch (engine) {
    case "podman":
      return podmanTrouble();
    case "buildah":
      if (!commandExists("buildah")) return "Buildah is not installed";
      return process.getuid?.() === 0 ? undefined : "the tests' set-up of Buildah is for root";
    case "docker":
      return spawnSync("docker", ["info"]).status === 0 ? undefined : "no Docker daemon answers";
    case "apptainer":
      return apptainerTrouble();
    case "singularity":
      return "it is tried as Apptainer";
  }
}

/** Variables with which engines work in tests: with stores of their own below `folder`. */
export function engineEnvironment(folder: string): NodeJS.ProcessEnv {
  for (const name of ["apptainer-cache", "apptainer-tmp"]) mkdirSync(join(folder, name), { recursive: true });
  return {
    ...podmanEnvironment(join(folder, "containers")),
    ...mountVariables(),
    PATH: pathWithApptainer,
    APPTAINER_CACHEDIR: join(folder, "apptainer-cache"),
    APPTAINER_TMPDIR: join(folder, "apptainer-tmp"),
  };
}
