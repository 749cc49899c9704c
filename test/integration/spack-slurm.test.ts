/** Building what no cache has as jobs of a real Slurm, with a stand-in for Spack. */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { processIsAlive } from "../../src/util/processes.ts";
import type { Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { onCluster, type SlurmCluster, slurmTrouble, startSlurm } from "../support/slurm.ts";
import { withSlurmLogs } from "../support/slurmLogs.ts";
import { canStandIn } from "../support/spackStandIn/spackStandIn.ts";
import { installsIn, makeTrial, type Trial } from "../support/spackStandIn/standInTrial.ts";

const trouble = slurmTrouble() ?? (canStandIn ? undefined : "what compiles is not installed");

describe.skipIf(trouble !== undefined)(
  `build --executor slurm${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  { timeout: 240_000 },
  () => {
    let cluster: SlurmCluster;
    const places: Workplace[] = [];
    beforeAll(async () => {
      cluster = await startSlurm();
    }, 120_000);
    afterAll(() => {
      for (const place of places) place.remove();
      cluster?.stop();
    });

    /** A test whose failure has Slurm's logs and ours. */
    const logged = (name: string, body: () => Promise<void>): void => {
      const logs = () => places.map((place) => place.path("cache-home/spacktainers/spack/logs"));
      it(name, () => withSlurmLogs(cluster, logs, body));
    };
    const slurm = async (specs: readonly string[], more = ""): Promise<Trial> => {
      const made = await makeTrial(specs);
      places.push(made.work);
      const path = made.work.path("spacktainers.yaml");
      const text = readFileSync(path, "utf8").replace(
        "spack: {",
        `spack: { executor: slurm, slurm: { partition: test, poll: 1${more} },`,
      );
      writeFileSync(path, text);
      return made;
    };
    const env = (): { readonly env: NodeJS.ProcessEnv } => ({ env: cluster.environment });
    const queue = async (): Promise<readonly string[]> =>
      (await onCluster(cluster, ["squeue", "-h", "-o", "%j"])).stdout
        .split("\n")
        .filter((line) => line !== "");
    const history = async (): Promise<string> =>
      (await onCluster(cluster, ["squeue", "-h", "-t", "all", "-o", "%i %j %T %N"])).stdout;
    const logOf = ({ work }: Trial, name: string): string => {
      const logs = work.path("cache-home/spacktainers/spack/logs");
      for (const run of existsSync(logs) ? readdirSync(logs) : [])
        for (const file of run.startsWith(".") ? [] : readdirSync(join(logs, run)))
          if (file.startsWith(`${name}-`) && file.endsWith(".log"))
            return readFileSync(join(logs, run, file), "utf8");
      return "";
    };

    logged("builds a job a package, each after what it needs, and makes the image", async () => {
      const { work, commands } = await slurm(["app"]);
      const planned = await work.run(["-q", "plan", "sim", "--solve"], env());
      expect(planned.stdout).toMatch(/by +slurm, one job per package/);
      const built = await work.run(["--json", "build", "sim"], env());
      expect(built.stderr, built.stdout.slice(-2000)).toBe("");
      const events = jsonLines(built);
      expect(events.at(-1), built.stdout.slice(-2000)).toMatchObject({ type: "result", upToDate: false });
      const order = installsIn(work, commands());
      expect([...order].sort()).toEqual(["app", "cmake", "compiler", "hdf5", "tool", "zlib"]);
      expect(order.at(-1)).toBe("app");
      expect(order[0]).toBe("compiler");
      const said = await history();
      for (const name of ["app@2.0", "cmake@1.0", "zlib@1.3.1"])
        expect(said).toMatch(new RegExp(`${name}-\\w{7} COMPLETED n\\d`));
      expect(events.filter(({ type }) => type === "task-phase").map(({ phase }) => phase)).toContain("push");
      // Times of builds are remembered: the next plan knows them.
      const times = readdirSync(work.path("cache-home/spacktainers/spack/times"));
      expect(times).toContain("app.json");
    });

    logged("says why a job failed, with its log, and cancels what waited for it", async () => {
      const { work, commands, trouble: file } = await slurm(["app"]);
      writeFileSync(file, "");
      const failed = await work.run(["build", "sim"], env());
      expect(failed.status).toBe(1);
      expect(failed.stderr).toContain("  > tool.c:3:5: error: expected ';' before 'return'\n");
      expect(failed.stderr).toMatch(/ {2}not built because of it: app@2\.0\/\w{7}\n/);
      expect(await queue()).toEqual([]);
      commands();
      rmSync(file);
      expect(await work.run(["-q", "build", "sim"], env())).toMatchObject({ status: 0, stderr: "" });
      expect(installsIn(work, commands())).toEqual(expect.arrayContaining(["tool", "app"]));
    });

    logged("cancels its jobs, with all of their processes, when it is interrupted", async () => {
      const made = await slurm(["slow"]);
      writeFileSync(`${made.trouble}-hang`, "");
      const child = made.work.start(["build", "sim"], env());
      const pid = (): number => Number(/hanging pid (\d+)/.exec(logOf(made, "slow"))?.[1] ?? 0);
      await expect.poll(pid, { timeout: 120_000 }).toBeGreaterThan(0);
      const over = once(child, "exit");
      child.kill("SIGINT");
      await over;
      await expect.poll(queue, { timeout: 30_000 }).toEqual([]);
      await expect.poll(() => processIsAlive(pid()), { timeout: 30_000 }).toBe(false);
    });

    logged("goes on with the jobs of a run that was killed, and builds nothing twice", async () => {
      const made = await slurm(["slow", "app"]);
      const { work, commands, trouble: file } = made;
      writeFileSync(`${file}-hang`, "");
      const child = work.start(["build", "sim"], env());
      const isHanging = (): boolean => logOf(made, "slow").includes("hanging pid");
      await expect.poll(isHanging, { timeout: 120_000 }).toBe(true);
      const over = once(child, "exit");
      child.kill("SIGKILL");
      await over;
      // Its jobs live on.
      expect((await queue()).some((name) => name.startsWith("slow@"))).toBe(true);
      const again = work.run(["--json", "build", "sim"], env());
      // Adopted, it ends only when it may.
      await new Promise((resolve) => setTimeout(resolve, 5000));
      const before = await history();
      rmSync(`${file}-hang`);
      const result = await again;
      expect(result.stderr, result.stdout.slice(-2000)).toBe("");
      expect(jsonLines(result).at(-1)).toMatchObject({ type: "result" });
      expect(before.match(/slow@1\.0-/g)).toHaveLength((await history()).match(/slow@1\.0-/g)?.length ?? 0);
      const installs = installsIn(work, commands());
      expect(installs.filter((name) => name === "slow")).toHaveLength(1);
      expect(new Set(installs).size).toBe(installs.length);
    });

    logged("cancels jobs of a run that was killed which nobody wants any more", async () => {
      const made = await slurm(["slow"]);
      const { work, trouble: file } = made;
      writeFileSync(`${file}-hang`, "");
      const child = work.start(["build", "sim"], env());
      await expect.poll(() => logOf(made, "slow"), { timeout: 120_000 }).toContain("hanging pid");
      const over = once(child, "exit");
      child.kill("SIGKILL");
      await over;
      writeFileSync(work.path("container_definitions/amd64/sim/spack.yaml"), "spack:\n  specs: [tool]\n");
      expect(await work.run(["-q", "build", "sim", "--solve"], env())).toMatchObject({
        status: 0,
        stderr: "",
      });
      await expect.poll(history, { timeout: 30_000 }).toMatch(/slow@1\.0-\w{7} CANCELLED/);
      await expect.poll(queue, { timeout: 30_000 }).toEqual([]);
    });

    logged("names a time limit that was too short", async () => {
      const made = await slurm(["slow"], ', args: ["--time=0:05"]');
      writeFileSync(`${made.trouble}-hang`, "");
      const failed = await made.work.run(["build", "sim", "-j1"], env());
      expect(failed.status).toBe(1);
      expect(failed.stderr).toMatch(/slow@1\.0\/\w{7} was not built: .*job \d+ reached its time limit/);
      expect(failed.stderr).not.toContain("was cancelled by someone");
    });
  },
);
