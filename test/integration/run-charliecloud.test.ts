/** Real Charliecloud, where it is installed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble } from "../support/cli.ts";
import { type DemoSite, makeDemoSite } from "../support/demoSite.ts";
import { onCluster, type SlurmCluster, slurmTrouble, startSlurm } from "../support/slurm.ts";

/** Why Charliecloud cannot run anything here, or undefined. */
function charliecloudTrouble(): string | undefined {
  const version = spawnSync("ch-run", ["--version"], {
    timeout: 30_000,
    env: { USER: "root", ...process.env },
  });
  return version.status === 0 ? undefined : "Charliecloud is not installed";
}

const trouble = charliecloudTrouble() ?? debianTrouble();
describe.skipIf(trouble !== undefined)(
  `Charliecloud${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let place: DemoSite;
    let cluster: SlurmCluster | undefined;
    const words = ["exec", "-q", "--with", "charliecloud"];
    beforeAll(async () => {
      place = await makeDemoSite();
      mkdirSync(place.work.path("data"));
      if (slurmTrouble() === undefined) cluster = await startSlurm();
    });
    afterAll(() => {
      cluster?.stop();
      place?.dispose();
    });

    it("gives a program its words, variables, binds, directory and status", async () => {
      const script = 'pwd; printf "<%s>" "$@"; echo "$MINE $NOT_MINE $PATH"; echo here >file; exit 7';
      const ran = await place.work.run(
        [
          ...[...words, "--bind", "data:/data", "--workdir", "/data", "--env", "MINE=a b", "hello-mpi"],
          ...["--", "sh", "-c", script, "sh", "c  d", "", "$HOME"],
        ],
        { env: { NOT_MINE: "leaked" } },
      );
      expect(ran.stdout, ran.stderr).toMatch(/^\/data\n<c {2}d><><\$HOME>a b {2}\/opt\/view\/bin:/);
      expect(ran.status).toBe(7);
      expect(readFileSync(place.work.path("data/file"), "utf8")).toBe("here\n");
    });

    it.skipIf(slurmTrouble() !== undefined)(
      `lets ranks form one world under srun${slurmTrouble() === undefined ? "" : ` (skipped: ${slurmTrouble()})`}`,
      async () => {
        if (cluster === undefined) throw new Error("there is no cluster");
        const ran = await onCluster(
          cluster,
          ["srun", "--mpi=pmi2", "-N2", "-n4", "spacktainers", ...words, "hello-mpi", "--", "ring", "10"],
          { env: place.environment, cwd: place.work.directory },
        );
        expect(ran.stdout, ran.stderr).toMatch(
          /^ring 1\.0\.0: 4 ranks on 2 nodes, token 40 after 40 hops: right/,
        );
      },
    );

    it("says what it cannot do", async () => {
      const refused = await place.work.run([...words, "--gpu", "nvidia", "hello-mpi", "--", "ring"]);
      expect(refused.stderr).toContain("NOT_SUPPORTED");
      expect(refused.status).not.toBe(0);
    });
  },
);
