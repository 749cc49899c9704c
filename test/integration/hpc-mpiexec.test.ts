import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { type DemoSite, findApptainer, makeDemoSite } from "../support/demoSite.ts";
import { podmanTrouble } from "../support/podman.ts";
import { runnerTrouble } from "../support/runner.ts";

const trouble =
  (commandExists("mpiexec.hydra") ? undefined : "the machine has no mpiexec of MPICH") ??
  runnerTrouble() ??
  debianTrouble();

describe.skipIf(trouble !== undefined)(
  `the machine's mpiexec starts a rank a container${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let place: DemoSite;
    beforeAll(async () => {
      place = await makeDemoSite();
    });
    afterAll(() => place?.dispose());

    const runtimes = [
      { runtime: "namespace", missing: undefined },
      { runtime: "podman", missing: podmanTrouble() },
      { runtime: "apptainer", missing: findApptainer() === undefined ? "Apptainer is not here" : undefined },
    ];
    for (const { runtime, missing } of runtimes)
      it.skipIf(missing !== undefined)(
        `by ${runtime}, in one world${missing === undefined ? "" : ` (skipped: ${missing})`}`,
        () => {
          const ran = spawnSync(
            "mpiexec.hydra",
            ["-n", "2", "spacktainers", "exec", "-q", "--with", runtime, "hello-mpi", "--", "ring", "10"],
            { cwd: place.work.directory, env: { ...process.env, ...place.environment }, encoding: "utf8" },
          );
          expect(ran.stdout, ran.stderr).toMatch(
            /^ring 1\.0\.0: 2 ranks on 1 node, token 20 after 20 hops: right/,
          );
          expect(ran.status).toBe(0);
        },
      );
  },
);
