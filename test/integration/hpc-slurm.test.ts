import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble } from "../support/cli.ts";
import { type DemoSite, findApptainer, makeDemoSite } from "../support/demoSite.ts";
import { makeOrdinaryUser, type OrdinaryUser, ordinaryUserTrouble } from "../support/ordinaryUser.ts";
import { podmanTrouble } from "../support/podman.ts";
import { runnerTrouble } from "../support/runner.ts";
import {
  onCluster,
  type SlurmCluster,
  type SlurmResult,
  slurmTrouble,
  startSlurm,
} from "../support/slurm.ts";

const trouble = slurmTrouble() ?? runnerTrouble() ?? debianTrouble();
const runtimes = [
  { runtime: "namespace", missing: undefined },
  { runtime: "podman", missing: podmanTrouble() },
  { runtime: "apptainer", missing: findApptainer() === undefined ? "Apptainer is not here" : undefined },
] as const;

describe.skipIf(trouble !== undefined)(
  `ranks under a real Slurm of three nodes${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let cluster: SlurmCluster;
    let place: DemoSite;
    const slurm = (argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<SlurmResult> =>
      onCluster(cluster, argv, { env: { ...place.environment, ...env }, cwd: place.work.directory });
    const site = (more: string): string =>
      `runtime: native\nmpi: [pmi2]\npartition: test\nnodes: 2\ntasks-per-node: 2\ntime: "00:05:00"\nprologue: ["export PATH=${place.environment.PATH}"]\n${more}`;
    const state = async (id: string): Promise<string> =>
      /JobState=(\w+)/.exec((await slurm(["scontrol", "show", "job", id])).stdout)?.[1] ?? "";

    beforeAll(async () => {
      place = await makeDemoSite();
      cluster = await startSlurm();
      place.site("here", site(""));
    });
    afterAll(() => {
      cluster?.stop();
      place?.dispose();
    });

    describe.each(runtimes)("by $runtime", ({ runtime, missing }) => {
      it.skipIf(missing !== undefined)(
        `form one world of 4 on 2 nodes with --mpi=pmi2${missing === undefined ? "" : ` (skipped: ${missing})`}`,
        async () => {
          for (const verb of ["run", "exec"]) {
            const ran = await slurm([
              ...["srun", "--mpi=pmi2", "-N2", "-n4", "spacktainers", verb, "-q", "--with", runtime],
              ...["hello-mpi", "--", "ring", "10"],
            ]);
            expect(ran.stdout, ran.stderr).toMatch(
              /^ring 1\.0\.0: 4 ranks on 2 nodes, token 40 after 40 hops: right/,
            );
            expect(ran.stdout.trim().split("\n")).toHaveLength(1);
            expect(ran.status).toBe(0);
          }
        },
      );

      it.skipIf(missing !== undefined)(
        "are alone with --mpi=none, and when they are kept from the launcher",
        async () => {
          const words = ["spacktainers", "exec", "-q", "--with", runtime];
          const without = await slurm(["srun", "--mpi=none", "-n2", ...words, "hello-mpi", "--", "ring"]);
          expect(without.stdout.match(/one rank alone/g), without.stderr).toHaveLength(2);
          expect(without.stderr.match(/warning .*2 tasks without PMI.*srun --mpi=pmi2/g)).toHaveLength(1);
          const kept = await slurm([
            "srun",
            "--mpi=pmi2",
            "-n2",
            ...words,
            "--mpi",
            "none",
            "hello-mpi",
            "--",
            "ring",
          ]);
          expect(kept.stdout.match(/one rank alone/g), kept.stderr).toHaveLength(2);
          expect(kept.stderr).not.toContain("warning");
        },
      );

      it.skipIf(missing !== undefined)("get what the launcher set, and give their exit status", async () => {
        const script = 'echo "$SLURM_PROCID $PMI_RANK $MINE $OTHER."; exit $((SLURM_PROCID * 3))';
        const ran = await slurm(
          [
            ...[
              "srun",
              "--mpi=pmi2",
              "-n2",
              "spacktainers",
              "exec",
              "-q",
              "--with",
              runtime,
              "--env",
              "MINE=x",
            ],
            ...["hello-mpi", "--", "bash", "-c", script],
          ],
          { OTHER: "leak" },
        );
        expect(ran.stdout.trim().split("\n").sort()).toEqual(["0 0 x .", "1 1 x ."]);
        expect(ran.status).toBe(3);
      });
    });

    describe.skipIf(ordinaryUserTrouble() !== undefined)("of an ordinary user", () => {
      let user: OrdinaryUser;
      beforeAll(() => {
        user = makeOrdinaryUser();
      });
      afterAll(() => user.remove());

      it.each(runtimes)("form one world by $runtime", async ({ runtime, missing }) => {
        if (missing !== undefined) return;
        const ran = await slurm(
          [
            ...[...user.become, "srun", "--mpi=pmi2", "-N2", "-n4", "spacktainers", "exec", "-q"],
            ...["--with", runtime, "hello-mpi", "--", "ring", "10"],
          ],
          { ...user.environment, APPTAINER_UNSQUASH: "1" },
        );
        expect(ran.stdout, ran.stderr).toContain("4 ranks on 2 nodes, token 40 after 40 hops: right");
        expect(ran.status).toBe(0);
      });
    });

    it("leave a lone rank's mpiexec to itself", async () => {
      const ran = await slurm([
        ...["srun", "-n1", "spacktainers", "exec", "-q", "--with", "namespace", "hello-mpi", "--"],
        ...["mpiexec", "-n", "2", "ring", "10"],
      ]);
      expect(ran.stdout, ran.stderr).toContain("2 ranks on 1 node");
    });

    it("run from a script that sbatch takes", async () => {
      const written = await slurm([
        ...[
          "spacktainers",
          "job",
          "hello-mpi",
          "--site",
          "here",
          "-o",
          "ring.sbatch",
          "--log",
          "out dir.txt",
        ],
        ...["--name", 'odd "name" # \\ x', "--", "ring", "10"],
      ]);
      expect(written.stdout, written.stderr).toBe("ring.sbatch\n");
      const submitted = await slurm(["sbatch", "--parsable", "--wait", "ring.sbatch"]);
      const id = submitted.stdout.trim();
      expect(submitted.status, submitted.stderr).toBe(0);
      const shown = (await slurm(["scontrol", "show", "job", id, "-o"])).stdout;
      expect(shown).toContain('JobName=odd "name" # \\ x ');
      expect(shown).toContain("JobState=COMPLETED");
      expect(readFileSync(place.work.path("out dir.txt"), "utf8")).toContain(
        "4 ranks on 2 nodes, token 40 after 40 hops: right",
      );
    });

    it("are followed to their end, output and status", async () => {
      const ran = await slurm([
        "spacktainers",
        "job",
        "hello-mpi",
        "--site",
        "here",
        "--submit",
        "--",
        "ring",
        "10",
      ]);
      expect(ran.stdout, ran.stderr).toContain("4 ranks on 2 nodes, token 40 after 40 hops: right");
      expect(ran.stderr).toMatch(/Job \d+ is submitted/);
      expect(ran.stderr).toMatch(/Job \d+: completed/);
      expect(ran.status).toBe(0);
      const failed = await slurm([
        ...[
          "spacktainers",
          "job",
          "hello-mpi",
          "--site",
          "here",
          "--nodes",
          "1",
          "--tasks-per-node",
          "1",
          "--submit",
        ],
        ...["--json", "--", "sh", "-c", "echo 'a  b'; exit 7"],
      ]);
      expect(failed.status).toBe(7);
      const lines = failed.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(
        lines
          .filter(({ type }) => type === "output")
          .map(({ text }) => text)
          .join(""),
      ).toContain("a  b\n");
      expect(lines.at(-1)).toMatchObject({ type: "result", state: "FAILED", status: 7 });
    });

    it.each([
      { how: "goes on when we are interrupted", options: [], after: ["RUNNING", "PENDING"] },
      {
        how: "is cancelled where that was asked for",
        options: ["--cancel-on-interrupt"],
        after: ["CANCELLED", "COMPLETING"],
      },
    ])("$how", async ({ options, after }) => {
      const child = spawn(
        "spacktainers",
        ["job", "hello-mpi", "--site", "here", "--submit", ...options, "--", "sleep", "60"],
        { env: { ...process.env, ...place.environment, ...cluster.environment }, cwd: place.work.directory },
      );
      let said = "";
      const started = new Promise<string>((resolve) => {
        child.stderr.setEncoding("utf8").on("data", (text: string) => {
          said += text;
          const id = /Job (\d+): running/.exec(said)?.[1];
          if (id !== undefined) resolve(id);
        });
      });
      const ended = new Promise<number | null>((resolve) => void child.once("close", resolve));
      const id = await started;
      child.kill("SIGINT");
      expect(await ended).toBe(130);
      expect(after).toContain(await state(id));
      if (options.length === 0) {
        expect(said).toContain(`job ${id} continues without spacktainers`);
        expect(said).toContain(`scancel ${id}`);
      } else expect(said).toContain(`Job ${id} is cancelled`);
      await slurm(["scancel", id]);
    });

    it("are stopped before the queue when the launcher's protocol is wrong", async () => {
      const doctor = await slurm(["spacktainers", "doctor", "here", "hello-mpi", "--mpi", "none", "--json"]);
      expect(doctor.status, doctor.stderr).toBe(1);
      const { works, examinations } = JSON.parse(doctor.stdout.trim().split("\n").at(-1) ?? "");
      expect(works).toBe(false);
      const errors = examinations[0].findings.filter(
        ({ severity }: { severity: string }) => severity === "error",
      );
      expect(errors).toEqual([
        expect.objectContaining({
          check: "pmi",
          evidence: [expect.stringMatching(/libmpi\.so\.12.*cmd=init pmi_version/)],
          remedy: expect.stringContaining("srun --mpi=pmi2"),
        }),
      ]);
      const job = await slurm([
        "spacktainers",
        "job",
        "hello-mpi",
        "--site",
        "here",
        "--mpi",
        "none",
        "--submit",
        "--",
        "ring",
      ]);
      expect(job.status).toBe(1);
      expect(job.stderr).toContain("SITE_MISMATCH");
      const test = await slurm([
        "spacktainers",
        "test",
        "hello-mpi",
        "--slurm",
        "--site",
        "here",
        "--mpi",
        "none",
      ]);
      expect(test.status).toBe(1);
      expect(test.stdout).toContain("not submitted: `srun --mpi=none`");
    });

    it("are fine by doctor when it is right, here too", async () => {
      const right = await slurm(["spacktainers", "doctor", "here", "hello-mpi"]);
      expect(right.stdout).toMatch(/^hello-mpi at here: fine\n/);
      expect(right.status).toBe(0);
      const host = await slurm(["spacktainers", "doctor"]);
      expect(host.stdout).toMatch(/ok +slurm +Slurm \d.*srun --mpi has .*pmi2/);
      const site = await slurm(["spacktainers", "doctor", "jed"]);
      expect(site.stdout).toContain("Slurm here has all of pmi2");
      const machine = await slurm(["spacktainers", "doctor", "hello-mpi", "--json"]);
      expect(machine.stdout).toContain("srun --mpi=pmi2");
    });

    it("pass the smoke tests as jobs", async () => {
      const ran = await slurm(["spacktainers", "test", "hello-mpi", "--slurm", "--site", "here"]);
      expect(ran.stdout, ran.stderr).toContain("4 of 4 passed");
      expect(ran.status).toBe(0);
    });

    it.skipIf(podmanTrouble() !== undefined)("form one world from a script for Podman alone", async () => {
      // Brings the image into Podman's store; its name is on the command line.
      const printed = await slurm(["spacktainers", "run", "-q", "--with", "podman", "--print", "hello-mpi"]);
      const id = /localhost\/spacktainers:[0-9a-f]+/.exec(printed.stdout)?.[0] ?? "";
      place.site("pods", site(`image: ${id}\n`).replace("native", "podman"));
      const ran = await slurm([
        "spacktainers",
        "job",
        "hello-mpi",
        "--site",
        "pods",
        "--image",
        id,
        "--submit",
        "--",
        "ring",
        "10",
      ]);
      expect(ran.stdout, ran.stderr).toContain("4 ranks on 2 nodes, token 40 after 40 hops: right");
    });

    it.skipIf(findApptainer() === undefined)("form one world from a script for Apptainer alone", async () => {
      const built = await slurm(["spacktainers", "build", "hello-mpi", "-o", "oci-archive:hello.tar"]);
      expect(built.status, built.stderr).toBe(0);
      const sif = place.work.path("hello.sif");
      const converted = await slurm(["apptainer", "--silent", "build", sif, "oci-archive:hello.tar"]);
      expect(converted.status, converted.stderr).toBe(0);
      place.site("app", site("workdir: /tmp\n").replace("native", "apptainer"));
      const ran = await slurm([
        ...["spacktainers", "job", "hello-mpi", "--site", "app", "--image", sif],
        ...["--submit", "--", "ring", "10"],
      ]);
      expect(ran.stdout, ran.stderr).toContain("4 ranks on 2 nodes, token 40 after 40 hops: right");
    });

    it("leave nothing behind", async () => {
      expect((await slurm(["squeue", "-h"])).stdout).toBe("");
      const unpacked = place.work.path("cache-home/spacktainers/rootfs");
      const names = existsSync(unpacked) ? readdirSync(unpacked) : [];
      expect(names.filter((name) => name.startsWith(".tmp"))).toEqual([]);
    });
  },
);
