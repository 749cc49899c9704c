import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, makeWorkplace, type Workplace } from "../support/cli.ts";
import { findApptainer } from "../support/demoSite.ts";
import { makeOpenMpiImage, openMpiTrouble } from "../support/openMpiImage.ts";
import { makeOrdinaryUser, type OrdinaryUser, ordinaryUserTrouble } from "../support/ordinaryUser.ts";
import { podmanTrouble } from "../support/podman.ts";
import { runnerTrouble } from "../support/runner.ts";
import { onCluster, pmixTrouble, type SlurmCluster, slurmTrouble, startSlurm } from "../support/slurm.ts";

const trouble =
  slurmTrouble() ?? pmixTrouble() ?? runnerTrouble() ?? ordinaryUserTrouble() ?? openMpiTrouble();
const runtimes = [
  { runtime: "namespace", missing: undefined },
  { runtime: "podman", missing: podmanTrouble() },
  { runtime: "apptainer", missing: findApptainer() === undefined ? "Apptainer is not here" : undefined },
] as const;

describe.skipIf(trouble !== undefined)(
  `Open MPI and PMIx, as an ordinary user${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let cluster: SlurmCluster;
    let user: OrdinaryUser;
    let work: Workplace;
    let layout: string;
    const folder = mkdtempSync(join(tmpdir(), "spacktainers-pmix-"));

    beforeAll(async () => {
      chmodSync(folder, 0o755);
      layout = makeOpenMpiImage(folder);
      user = makeOrdinaryUser();
      work = makeWorkplace("spacktainers: 1\n");
      chmodSync(work.directory, 0o755);
      mkdirSync(work.path("sites"));
      const command = join(user.home, "spacktainers");
      writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`);
      chmodSync(command, 0o755);
      cluster = await startSlurm();
    });
    afterAll(() => {
      cluster?.stop();
      user?.remove();
      work?.remove();
      rmSync(folder, { recursive: true, force: true });
    });

    const asUser = (argv: readonly string[]) => {
      const apptainer = findApptainer();
      return onCluster(cluster, [...user.become, ...argv], {
        env: {
          ...user.environment,
          PATH: [process.env.PATH, ...(apptainer === undefined ? [] : [join(apptainer, "..")])].join(":"),
          APPTAINER_UNSQUASH: "1",
        },
        cwd: user.home,
      });
    };
    const spacktainers = [process.execPath, binary];

    it.each(runtimes)("form one world by $runtime", async ({ runtime, missing }) => {
      if (missing !== undefined) return;
      const ran = await asUser([
        ...["srun", "--mpi=pmix", "-N1", "-n2", ...spacktainers, "exec", "-q", "--with", runtime],
        ...[layout, "--", "ranks"],
      ]);
      // Ranks of Podman are in user namespaces of their own.
      const memory = runtime === "podman" ? "no" : "yes";
      expect(ran.stdout.trim().split("\n").sort(), ran.stderr).toEqual([
        `rank 0 of 2, memory ${memory}`,
        `rank 1 of 2, memory ${memory}`,
      ]);
      expect(ran.status).toBe(0);
    });

    it.each(runtimes)("may end at once, by $runtime", async ({ runtime, missing }) => {
      if (missing !== undefined) return;
      for (let attempt = 0; attempt < (runtime === "podman" ? 1 : 3); attempt++) {
        const ran = await asUser([
          ...["srun", "--mpi=pmi2", "--overcommit", "-N1", "-n6", ...spacktainers, "exec", "-q"],
          ...["--with", runtime, layout, "--", "sh", "-c", "echo fine"],
        ]);
        expect(ran.stdout, ran.stderr).toBe("fine\n".repeat(6));
      }
    });

    it.each(runtimes)(
      "leave nothing of ours beside the program, by $runtime",
      async ({ runtime, missing }) => {
        if (missing !== undefined) return;
        const meeting = join(user.home, `meeting-${runtime}`);
        mkdirSync(meeting);
        spawnSync("chown", [String(user.uid), meeting]);
        const inside = "touch /meet/$SLURM_PROCID; until [ -e /meet/done ]; do sleep 0.1; done";
        const outside = `until [ -e ${meeting}/0 ] && [ -e ${meeting}/1 ]; do sleep 0.1; done; ps -o comm= -u ${user.uid} | grep -c node; touch ${meeting}/done`;
        const exec = `${spacktainers.join(" ")} exec -q --with ${runtime} --bind ${meeting}:/meet ${layout}`;
        const ran = await asUser([
          ...["srun", "--mpi=pmi2", "-N1", "-n2", "sh", "-c"],
          `if [ $SLURM_PROCID = 0 ]; then ( ${outside} ) & fi; exec ${exec} -- sh -c '${inside}'`,
        ]);
        expect(ran.stdout, ran.stderr).toBe("0\n");
      },
    );

    it.each(runtimes)("form one world from a job's script, by $runtime", async ({ runtime, missing }) => {
      if (missing !== undefined) return;
      const name = runtime === "namespace" ? "native" : runtime;
      const apptainer = findApptainer();
      const folders = [user.home, ...(apptainer === undefined ? [] : [dirname(apptainer)])];
      const path = [...folders, process.env.PATH].join(":");
      writeFileSync(
        work.path("sites", `${name}.yaml`),
        `runtime: ${name}\nmpi: [pmix]\nnodes: 1\ntasks-per-node: 2\ntime: "00:05:00"\nworkdir: /tmp\nprologue: export PATH=${path}\n`,
      );
      const location = await imageOf(runtime);
      const script = join(user.home, `${name}.sbatch`);
      const written = await asUser([
        ...[...spacktainers, "-C", work.directory, "job", `oci:${layout}`, "--site", name],
        ...["--image", location, "--log", `${script}.log`, "-o", script, "--", "ranks"],
      ]);
      expect(written.status, written.stderr).toBe(0);
      const submitted = await asUser(["sbatch", "--wait", script]);
      const log = readFileSync(`${script}.log`, "utf8");
      expect(submitted.status, submitted.stderr + log).toBe(0);
      expect(log.match(/^rank [01] of 2, /gm)).toHaveLength(2);
    });

    /** Where a job's runtime finds the image. */
    async function imageOf(runtime: string): Promise<string> {
      if (runtime === "namespace") return layout;
      if (runtime === "podman") {
        const words = ["exec", "-q", "--print", "--with", "podman", layout, "--", "ranks"];
        const printed = await asUser([...spacktainers, ...words]);
        return /localhost\/spacktainers:[0-9a-f]+/.exec(printed.stdout)?.[0] ?? "";
      }
      const sif = join(user.home, "image.sif");
      const made = await asUser([...spacktainers, "sif", `oci:${layout}`, "-o", sif]);
      if (made.status !== 0) throw new Error(made.stderr);
      return sif;
    }

    it.each(runtimes)("are who they are outside, by $runtime", async ({ runtime, missing }) => {
      if (missing !== undefined) return;
      const script = 'id -u; id -g; id -un; touch "$HOME/x" && echo home; exec ls "$HOME"';
      const words = [...spacktainers, "exec", "-q", "--with", runtime];
      const ran = await asUser([...words, layout, "--", "sh", "-c", script]);
      expect(ran.stdout, ran.stderr).toBe(`${user.uid}\n${user.uid}\n${user.name}\nhome\nx\n`);
      const root = await asUser([
        ...words,
        "--fakeroot",
        layout,
        "--",
        "sh",
        "-c",
        "id -u; touch /x && ls /x",
      ]);
      expect(root.stdout, root.stderr).toBe("0\n/x\n");
    });
  },
);
