import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { podmanEnvironment, podmanTrouble } from "../support/podman.ts";
import { folder, type RunnerOptions, run, runnerTrouble, scratch, startRun } from "../support/runner.ts";

const programs = ["bash", "sh", "cat", "ls", "env", "id", "sleep", "touch", "ps"];
const trouble = runnerTrouble() ?? podmanTrouble();

describe.skipIf(trouble !== undefined)(
  `Podman${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    const place = scratch();
    let options: RunnerOptions;

    beforeAll(async () => {
      const image = await writeTestLayout(join(place.path, "image"), {
        layers: [hostPrograms(programs)],
        config: {
          Env: ["PATH=/usr/bin:/bin", "IMAGE=yes"],
          Entrypoint: ["/bin/bash", "--rcfile", "/etc/profile", "-l", "-c", "$*", "--"],
          Cmd: ["/bin/bash"],
        },
      });
      const environment = podmanEnvironment(join(place.path, "podman"));
      options = { image, runtime: "podman", cacheDirectory: folder(place.path, "cache"), environment };
    });
    afterAll(() => {
      const env = { ...process.env, ...options.environment };
      spawnSync("podman", ["rmi", "--all", "--force"], { env });
      spawnSync("umount", [join(place.path, "podman", "storage", "overlay")]);
      place.dispose();
    });
    const sh = (script: string, more: Partial<RunnerOptions> = {}, ...args: string[]) =>
      run(["sh", "-c", script, "sh", ...args], { ...options, ...more });

    it("runs the image, with the exact arguments and exit status", () => {
      const args = ["a b", "c'd", "", "g\nh", "$HOME", "*", "--"];
      const result = sh('for a; do printf "%s\\0" "$a"; done; exit 7', {}, ...args);
      expect(result.stdout.split("\0").slice(0, -1)).toEqual(args);
      expect(result.status).toBe(7);
      expect(run(["echo one  two"], options).stdout).toBe("one two\n");
    });

    it("imports the image once", () => {
      const env = { ...process.env, ...options.environment };
      const images = () =>
        spawnSync("podman", ["images", "--quiet", "--no-trunc"], { env, encoding: "utf8" }).stdout;
      const before = images();
      expect(sh("echo x").stdout).toBe("x\n");
      expect(images()).toBe(before);
      expect(before.trim().split("\n").length).toBe(1);
      expect(readdirSync(join(place.path, "cache", "run"))).toEqual([]);
    });

    it("sets variables, also those that Podman itself would heed, without showing them", () => {
      const env = {
        LINES: "one\ntwo",
        PATH: "/usr/bin:/elsewhere",
        CONTAINERS_CONF: "/dev/null",
        TOKEN: "hunter2 '\"",
      };
      const result = sh("env -0; ps axww", { env });
      const found = result.stdout.split("\0");
      for (const [name, value] of Object.entries(env)) expect(found).toContain(`${name}=${value}`);
      expect(found).toContain("IMAGE=yes");
      const shown = result.stdout.split("\n").filter((line) => /\d (\S*\/)?(podman|conmon) /.test(line));
      expect(shown.length).toBeGreaterThan(0);
      expect(shown.join("\n")).not.toContain("hunter2");
    });

    it("binds and knows the machine's name", () => {
      const data = folder(place.path, "data, dir");
      writeFileSync(join(data, "old"), "old\n");
      const result = sh("cat '/ro,x/old'; echo new > /data/new; touch '/ro,x/y'; cat /etc/hosts; pwd", {
        binds: [
          { source: data, target: "/data", readOnly: false },
          { source: data, target: "/ro,x", readOnly: true },
        ],
        workdir: "/data",
      });
      expect(result.stdout).toMatch(/^old\n/);
      expect(result.stdout).toMatch(/\n\/data\n$/);
      expect(result.stdout.split(/\s+/)).toContain(hostname());
      expect(result.stderr).toContain("Read-only file system");
      expect(readFileSync(join(data, "new"), "utf8")).toBe("new\n");
    });

    it("passes signals on, to programs that do not handle them too", async () => {
      const running = startRun(["sh", "-c", "echo ready; exec sleep 60"], options);
      await running.says("ready");
      running.child.kill("SIGTERM");
      expect((await running.ended).status).toBe(143);
    });

    it("takes what is made for Docker as well", () => {
      const bin = folder(place.path, "docker");
      // Podman in Docker's place: it takes the same commands, but for an option that needs a program it may lack.
      writeFileSync(
        join(bin, "docker"),
        `#!/bin/sh\nfor a; do shift; [ "$a" = --init ] || set -- "$@" "$a"; done\nexec podman "$@"\n`,
      );
      chmodSync(join(bin, "docker"), 0o755);
      const environment = {
        ...podmanEnvironment(join(place.path, "podman2")),
        PATH: `${bin}:${process.env.PATH}`,
      };
      const docker: RunnerOptions = { ...options, runtime: "docker", environment };
      const script = 'echo "$IMAGE $1 $PWD"; exit 4';
      const more = { workdir: "/etc", readOnly: true };
      const result = run(["sh", "-c", script, "sh", "a b"], { ...docker, ...more });
      expect(result).toMatchObject({ status: 4, stdout: "yes a b /etc\n" });
      expect(run(["sh", "-c", "echo again"], docker).stdout).toBe("again\n");
      spawnSync("podman", ["rmi", "--all", "--force"], { env: { ...process.env, ...environment } });
      spawnSync("umount", [join(place.path, "podman2", "storage", "overlay")]);
    });

    it("is chosen when it works, and tried only once", () => {
      const auto: RunnerOptions = { ...options, runtime: "auto", cacheDirectory: folder(place.path, "auto") };
      const first = run(["cat", "/proc/self/mountinfo"], auto);
      expect(first.stdout).toContain("/podman/storage/");
      const remembered = readdirSync(join(place.path, "auto", "run"));
      expect(remembered.length).toBe(1);
      expect(remembered[0]).toMatch(/^podman-/);
      expect(run(["cat", "/proc/self/mountinfo"], auto).stdout).toContain("/podman/storage/");
    });

    it("is passed over, with a word, when it does not work", () => {
      const bin = folder(place.path, "bin");
      for (const name of ["podman", "docker", "apptainer", "singularity"]) {
        writeFileSync(
          join(bin, name),
          `#!/bin/sh\necho "$@" >> ${place.path}/calls\necho ${name} is broken >&2\nexit 125\n`,
        );
        chmodSync(join(bin, name), 0o755);
      }
      const auto: RunnerOptions = {
        ...options,
        runtime: "auto",
        cacheDirectory: folder(place.path, "broken"),
        environment: { PATH: `${bin}:${process.env.PATH}` },
      };
      const first = run(["cat", "/proc/self/mountinfo"], auto);
      expect(first.stdout).toContain("upperdir=mnt/upper");
      expect(first.stderr.split("\n").filter(Boolean)).toEqual(
        ["podman", "docker", "apptainer", "singularity"].map(
          (name) =>
            `warning: ${name} is installed but cannot run this image, so another runtime is used: ${
              name === "podman" ? "podman cannot import the image: " : ""
            }${name} is broken`,
        ),
      );
      const calls = readFileSync(join(place.path, "calls"), "utf8");
      expect(run(["true"], auto)).toMatchObject({
        status: 0,
        stderr: expect.not.stringContaining("warning"),
      });
      expect(readFileSync(join(place.path, "calls"), "utf8")).toBe(calls);
    });
  },
);
