/** A repository with the demonstration, built, and what a site needs: our program on the search path, Apptainer where there is one. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountVariables } from "./apptainer.ts";
import { binary, demoRepository, makeWorkplace, type Workplace } from "./cli.ts";
import { podmanEnvironment, podmanTrouble } from "./podman.ts";

/** Folders in which Apptainer may be. */
const apptainerFolders = [
  ...(process.env.PATH ?? "").split(":"),
  join(demoRepository, ".scratch/apptainer/usr/bin"),
];

/** Path of Apptainer, or undefined. */
export function findApptainer(): string | undefined {
  return apptainerFolders
    .map((folder) => join(folder, "apptainer"))
    .find((path) => path.startsWith("/") && spawnSync(path, ["--version"]).status === 0);
}

/** A workplace with the demonstration's repository. */
export interface DemoSite {
  readonly work: Workplace;
  /** Variables with which `spacktainers` and the runtimes are found. */
  readonly environment: NodeJS.ProcessEnv;
  readonly apptainer: string | undefined;
  readonly podman: boolean;
  /** Writes a site's file. */
  site(name: string, text: string): void;
  dispose(): void;
}

/** Makes the workplace and builds `hello-mpi` in it. Needs a Debian archive. */
export async function makeDemoSite(): Promise<DemoSite> {
  const work = makeWorkplace();
  for (const item of ["spacktainers.yaml", "demo", "container_definitions", "sites"])
    cpSync(join(demoRepository, item), work.path(item), { recursive: true });
  mkdirSync(work.path("bin"));
  writeFileSync(work.path("bin/spacktainers"), `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`);
  chmodSync(work.path("bin/spacktainers"), 0o755);
  // Whoever the tests run as, jobs may be another user's.
  chmodSync(work.directory, 0o755);
  const built = await work.run(["build", "hello-mpi"]);
  if (built.status !== 0) throw new Error(`the demonstration cannot be built: ${built.stderr}`);
  const apptainer = findApptainer();
  const podman = podmanTrouble() === undefined;
  const folders = [work.path("bin"), ...(apptainer === undefined ? [] : [join(apptainer, "..")])];
  for (const name of ["apptainer-cache", "apptainer-tmp"]) mkdirSync(work.path(name));
  const environment: NodeJS.ProcessEnv = {
    ...(podman ? podmanEnvironment(work.path("podman")) : {}),
    PATH: [...folders, process.env.PATH].join(":"),
    XDG_CACHE_HOME: work.cacheHome,
    APPTAINER_CACHEDIR: work.path("apptainer-cache"),
    APPTAINER_TMPDIR: work.path("apptainer-tmp"),
    ...mountVariables(),
    NO_COLOR: "1",
  };
  return {
    work,
    environment,
    apptainer,
    podman,
    site: (name, text) => writeFileSync(work.path("sites", `${name}.yaml`), text),
    dispose() {
      const env = { ...process.env, ...environment };
      if (podman) {
        spawnSync("podman", ["rmi", "--all", "--force"], { env });
        spawnSync("umount", [work.path("podman/storage/overlay")]);
      }
      // Folders nobody may write to are in every root.
      if (existsSync(work.directory)) spawnSync("chmod", ["-R", "u+rwX", work.directory]);
      work.remove();
    },
  };
}
