/** Building what no cache has in a builder image, with a stand-in for Spack: the image is a root that shows this machine's programs. */
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { processIsAlive } from "../../src/util/processes.ts";
import { apptainerTrouble, mountVariables, pathWithApptainer } from "../support/apptainer.ts";
import type { Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { hangingBuild } from "../support/spackStandIn/hangingBuild.ts";
import { canStandIn } from "../support/spackStandIn/spackStandIn.ts";
import { installsIn, makeTrial, type Trial } from "../support/spackStandIn/standInTrial.ts";

const trouble = apptainerTrouble() ?? (canStandIn ? undefined : "what compiles is not installed");
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

/** A root whose programs are this machine's, and what makes Apptainer show them. */
function makeRoot(folder: string): void {
  for (const name of ["usr", "etc", "proc", "dev", "sys", "tmp", "var/tmp", "root"])
    mkdirSync(join(folder, name), { recursive: true });
  for (const name of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(folder, name));
  for (const name of ["passwd", "group", "ld.so.cache"])
    copyFileSync(`/etc/${name}`, join(folder, "etc", name));
  writeFileSync(join(folder, "inside-the-image"), "");
}

async function trial(specs: readonly string[], more = ""): Promise<Trial & { readonly root: string }> {
  const made = await makeTrial(specs);
  places.push(made.work);
  const root = made.work.path("root");
  makeRoot(root);
  const path = made.work.path("spacktainers.yaml");
  writeFileSync(path, readFileSync(path, "utf8").replace("spack: {", `spack: { engine: apptainer,${more}`));
  const log = made.work.path("cache-home/spacktainers/spack/tmp/commands.jsonl");
  return {
    ...made,
    root,
    commands: () => {
      const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
      rmSync(log, { force: true });
      return lines.map((line) => (JSON.parse(line) as string[]).slice(2));
    },
  };
}
const options = (more: NodeJS.ProcessEnv = {}) => ({
  env: {
    PATH: pathWithApptainer,
    ...mountVariables(),
    APPTAINER_BIND: `/usr,${existsSync("/etc/alternatives") ? "/etc/alternatives" : "/usr"}`,
    ...more,
  },
});

describe.skipIf(trouble !== undefined)(
  `build in a builder image${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  { timeout: 240_000 },
  () => {
    it("finds compilers, chooses, builds and packs inside, and makes the image", async () => {
      const { work, commands, root } = await trial(["app"]);
      const planned = await work.run(["-q", "plan", "sim", "--solve", "--builder", root], options());
      expect(planned).toMatchObject({ status: 0, stderr: "" });
      expect(planned.stdout).toMatch(/by +container, at most \d+ at a time/);
      const canary = { AWS_SECRET_ACCESS_KEY: "canary", SSH_AUTH_SOCK: "/canary" };
      const built = await work.run(["--json", "build", "sim", "--builder", root], options(canary));
      expect(built.stderr).toBe("");
      expect(jsonLines(built).at(-1)).toMatchObject({ type: "result", upToDate: false });
      expect([...installsIn(work, commands())].sort()).toEqual([
        "app",
        "cmake",
        "compiler",
        "hdf5",
        "tool",
        "zlib",
      ]);
      expect((await work.run(["-q", "build", "sim", "--builder", root], options())).status).toBe(0);
      expect(commands()).toEqual([]);
    });

    it("opens the shell of a failed package inside, where nothing of our environment is", async () => {
      const { work, root, trouble: file } = await trial(["app"], " builder: ./root,");
      writeFileSync(file, "");
      // The file that makes it fail is in the repository, which the image does not see.
      const seeing = options();
      seeing.env.APPTAINER_BIND = `${seeing.env.APPTAINER_BIND},${file}`;
      const failed = await work.run(["build", "sim"], seeing);
      expect(failed.status, failed.stderr).toBe(1);
      expect(failed.stderr).toContain("  > tool.c:3:5: error: expected ';' before 'return'\n");
      expect(existsSync(join(root, "inside-the-image"))).toBe(true);
      const shell = await work.run(["build", "sim", "--shell", "tool"], {
        ...options({ AWS_SECRET_ACCESS_KEY: "canary", HTTPS_PROXY: "http://proxy" }),
        input: "ls /inside-the-image; pwd; env; ls $HOME/..\nexit 5\n",
      });
      expect(shell.status, shell.stderr).toBe(5);
      expect(shell.stdout).toContain("/inside-the-image\n");
      expect(shell.stdout).toMatch(/stage\/spack-stage-tool-0\.9-\w{32}\/spack-src\n/);
      expect(shell.stdout).toContain("HTTPS_PROXY=http://proxy\n");
      expect(shell.stdout).not.toContain("canary");
      // The repository is not shown.
      const asked = await work.run(["build", "sim", "--shell", "tool"], {
        ...options(),
        input: `ls ${work.path("spacktainers.yaml")} && echo seen\nexit 0\n`,
      });
      expect(asked.stdout).not.toMatch(/^seen$/m);
      expect(asked.stdout + asked.stderr).toContain("No such file");
    });

    it("leaves no process behind when it is interrupted or killed, and rebuilds nothing that was published", async () => {
      for (const signal of ["SIGINT", "SIGKILL"] as const) {
        const { work, commands, root, trouble: file } = await trial(["slow"]);
        writeFileSync(`${file}-hang`, "");
        // As if what makes it hang were beside its recipes.
        const env = options();
        mkdirSync(dirname(file), { recursive: true });
        env.env.APPTAINER_BIND = `${env.env.APPTAINER_BIND},${dirname(file)}`;
        const child = work.start(["build", "sim", "--builder", root], env);
        const logs = work.path("cache-home/spacktainers/spack/logs");
        const hanging = () => hangingBuild(logs);
        await expect.poll(hanging, { timeout: 120_000 }).toBeGreaterThan(0);
        const pid = hanging();
        expect(processIsAlive(pid)).toBe(true);
        const over = once(child, "exit");
        child.kill(signal);
        await over;
        await expect.poll(() => processIsAlive(pid), { timeout: 30_000 }).toBe(false);
        commands();
        rmSync(`${file}-hang`);
        const again = await work.run(["-q", "build", "sim", "--builder", root], env);
        expect(again).toMatchObject({ status: 0, stderr: "" });
        expect(installsIn(work, commands())).toEqual(["slow"]);
      }
    });

    it("says what an image lacks, and that there is none", async () => {
      const { work, root } = await trial(["app"]);
      const lacking = await work.run(["-q", "build", "sim", "--builder", root], {
        env: { ...options().env, APPTAINER_BIND: "" },
      });
      expect(lacking.status).toBe(4);
      expect(lacking.stderr).toContain(`the builder image ${root} cannot be run: apptainer: `);
      const none = await work.run(["-q", "build", "sim", "--builder", "no_such_builder"], options());
      expect(none.status).toBe(4);
      expect(none.stderr).toContain("no_such_builder");
    });
  },
);
