import { chmodSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import {
  folder,
  mountsOf,
  type RunnerOptions,
  run,
  runnerTrouble,
  scratch,
  startRun,
} from "../support/runner.ts";

const trouble = runnerTrouble();
const programs = ["bash", "sh", "cat", "env", "id", "ls", "readlink", "sleep", "stat", "touch"];
const users =
  process.getuid?.() === 0
    ? [{ who: "root" }, { who: "an ordinary user", uid: 54321 }]
    : [{ who: "this user" }];

describe.skipIf(trouble !== undefined).each(users)(
  `a rank of our own runner, as $who${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  ({ uid }) => {
    const place = scratch(uid);
    let options: RunnerOptions;
    let step = 0;

    beforeAll(async () => {
      const layout = await writeTestLayout(join(place.path, "image"), {
        layers: [hostPrograms(programs)],
        config: { Env: ["PATH=/usr/bin:/bin", "IMAGE=it's here"] },
      });
      options = {
        image: layout,
        runtime: "namespace",
        cacheDirectory: folder(place.path, "cache", uid),
        ...(uid === undefined ? {} : { uid }),
      };
    });
    afterAll(() => place.dispose());

    /** What a launcher sets: each number is a start of a program, whose ranks find one another. */
    const launched = (number: number): NodeJS.ProcessEnv => ({
      SLURM_JOB_ID: String(process.pid),
      SLURM_STEP_ID: String(number),
      SLURM_STEP_NUM_TASKS: "2",
      PMI_RANK: "0",
      PMI_SIZE: "2",
    });
    const rank = (command: readonly string[], more: Partial<RunnerOptions> = {}, number = ++step) =>
      run(command, { ...options, ...more, environment: { ...launched(number), ...more.environment } });
    const start = (script: string, number: number, more: Partial<RunnerOptions> = {}) =>
      startRun(["sh", "-c", script], { ...options, ...more, environment: launched(number) });
    const namespaces = "readlink /proc/self/ns/user /proc/self/ns/mnt";

    it("is the program itself: nothing of ours is left beside it", async () => {
      const running = start("echo $$; exec sleep 60", ++step);
      await running.says("\n");
      const pid = running.child.pid ?? 0;
      const commandLine = () => readFileSync(`/proc/${pid}/cmdline`, "utf8");
      await vi.waitFor(() => expect(commandLine()).toBe("sleep\u000060\u0000"), { timeout: 10_000 });
      expect(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")).toBe("");
      const group = readdirSync("/proc").filter((name) => {
        try {
          return readlinkSync(`/proc/${name}/ns/user`) === readlinkSync(`/proc/${pid}/ns/user`);
        } catch {
          return false;
        }
      });
      expect(group).toEqual([String(pid)]);
      running.child.kill("SIGTERM");
      expect(await running.ended).toMatchObject({ stdout: `${pid}\n`, status: -1 });
      expect(mountsOf(place.path)).toEqual([]);
    });

    it.each(["alone", "with another"])("gets arguments, variables and files exactly, %s", async (how) => {
      const number = ++step;
      const other = start("echo ready; exec sleep 60", number);
      if (how === "alone") other.child.kill("SIGKILL");
      else await other.says("ready");
      const args = ["a b", "c'd", 'e"f', "", "g\nh\n", "$HOME", "*", "\\", "--", "-n", "`x`", "é\t"];
      const script = 'for a; do printf "%s\\0" "$a"; done; env -0; echo in >/data/new; pwd; exit 7';
      const data = folder(place.path, `data ${number}`, uid);
      const env = {
        LINES: "one\ntwo\n",
        LONG: "x".repeat(100_000),
        LD_LIBRARY_PATH: "/nowhere",
        HOME: "/tmp",
      };
      const result = rank(
        ["bash", "-c", script, "sh", ...args],
        { env, workdir: "/data", binds: [{ source: data, target: "/data", readOnly: false }] },
        number,
      );
      const words = result.stdout.split("\0");
      expect(words.slice(0, args.length), result.stderr).toEqual(args);
      const found = Object.fromEntries(
        words.slice(args.length, -1).map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]),
      );
      const { PMI_RANK, PMI_SIZE, SLURM_JOB_ID, SLURM_STEP_ID, SLURM_STEP_NUM_TASKS, ...rest } = found;
      expect([PMI_RANK, PMI_SIZE, SLURM_STEP_NUM_TASKS]).toEqual(["0", "2", "2"]);
      expect([SLURM_JOB_ID, SLURM_STEP_ID]).toEqual([String(process.pid), String(number)]);
      // What a shell sets by itself.
      const { SHLVL: _, _: __, PWD: ___, OLDPWD: ____, ...own } = rest;
      expect(own).toEqual({ ...env, PATH: "/usr/bin:/bin", IMAGE: "it's here" });
      expect(words.at(-1)).toBe("/data\n");
      expect(readFileSync(join(data, "new"), "utf8")).toBe("in\n");
      expect(result.status).toBe(7);
      other.child.kill("SIGKILL");
    });

    it("shares user and mounts with the ranks of its start, and with no others", async () => {
      const number = ++step;
      const first = start(`${namespaces}; touch /made; echo ready; exec sleep 60`, number);
      await first.says("ready");
      const own = first.child.pid ?? 0;
      const [user, mounts] = ["user", "mnt"].map((name) => readlinkSync(`/proc/${own}/ns/${name}`));
      expect(user).not.toBe(readlinkSync("/proc/self/ns/user"));
      const script = `${namespaces}; ls /made; id -u; cat /proc/self/status`;
      const next = rank(["sh", "-c", script], {}, number);
      const lines = next.stdout.split("\n");
      expect(lines.slice(0, 4), next.stderr).toEqual([
        user,
        mounts,
        "/made",
        String(uid ?? process.getuid?.()),
      ]);
      const rights = (status: string) => /^CapEff:.*$/m.exec(status)?.[0];
      expect(rights(next.stdout)).toBe(rights(readFileSync(`/proc/${own}/status`, "utf8")));
      expect(rank(["sh", "-c", namespaces]).stdout.split("\n")[0]).not.toBe(user);
      const otherRoot = rank(["sh", "-c", namespaces], { readOnly: true }, number);
      expect(otherRoot.stdout.split("\n")[0]).not.toBe(user);
      first.child.kill("SIGKILL");
      await first.ended;
      expect(rank(["sh", "-c", `${namespaces}; ls /made`], {}, number).stderr).toContain("/made");
    });

    it("is one of many that start at once and share what the first of them makes", async () => {
      const number = ++step;
      // A bind is part of the root: whoever waits in it waits for all.
      const meeting = folder(place.path, `meeting ${number}`, uid);
      const binds = [{ source: meeting, target: "/meet", readOnly: false }];
      const script = `${namespaces}; touch /meet/$$; until set -- /meet/* && [ $# = 5 ]; do sleep 0.05; done`;
      const all = Array.from({ length: 5 }, () => start(script, number, { binds }));
      const ended = await Promise.all(all.map((one) => one.ended));
      expect(ended.map(({ status }) => status)).toEqual([0, 0, 0, 0, 0]);
      expect(new Set(ended.map(({ stdout }) => stdout)).size, ended.map(({ stderr }) => stderr).join()).toBe(
        1,
      );
    });

    it("waits for the first one, and starts without it when that is killed before it is ready", async () => {
      const number = ++step;
      const bin = folder(place.path, "bin", uid);
      // Trying what the kernel allows works; making the container's root takes for ever.
      writeFileSync(
        join(bin, "unshare"),
        '#!/bin/sh\ncase "$*" in *" alone "*) echo stuck; exec sleep 60 ;; esac\nexec /usr/bin/unshare "$@"\n',
      );
      chmodSync(join(bin, "unshare"), 0o755);
      const path = { PATH: `${bin}:${process.env.PATH}` };
      const first = startRun(["true"], { ...options, environment: { ...launched(number), ...path } });
      await first.says("stuck");
      const next = start("echo fine", number);
      let said = "";
      next.child.stdout?.on("data", (text) => {
        said += String(text);
      });
      await new Promise((done) => setTimeout(done, 1_500));
      expect(said).toBe("");
      first.child.kill("SIGKILL");
      expect((await next.ended).stdout).toBe("fine\n");
    });

    it("has the signals and files of any program", () => {
      const result = rank(["cat", "/proc/self/status", "/proc/self/fdinfo/1"]);
      expect(result.stdout).toMatch(/^SigBlk:\s*0+$/m);
      expect(result.stdout).toMatch(/^SigIgn:\s*0+$/m);
      // Not O_NONBLOCK.
      expect(Number.parseInt(/^flags:\s*(\d+)$/m.exec(result.stdout)?.[1] ?? "", 8) & 0o4000).toBe(0);
      const open = rank(["sh", "-c", "exec ls /proc/self/fd"]).stdout.split("\n").filter(Boolean);
      // What whoever runs the tests has left open has high numbers.
      expect(open.filter((number) => Number(number) < 100)).toEqual(["0", "1", "2", "3"]);
      expect(rank(["cat"], { input: "x".repeat(100_000) }).stdout.length).toBe(100_000);
    });

    it("says what is wrong as other runs do", async () => {
      const number = ++step;
      const missing = (n: number) => rank(["no-such-program"], {}, n);
      for (const how of ["alone", "joined"]) {
        const first = how === "joined" ? start("echo ready; exec sleep 60", number) : undefined;
        await first?.says("ready");
        const result = missing(number);
        expect(result.status, how).toBe(127);
        expect(result.stderr).toContain("spacktainers: no-such-program: no such program in the container");
        expect(rank(["/etc/passwd"], {}, number).status).toBe(126);
        first?.child.kill("SIGKILL");
      }
      expect(rank(["true"], { workdir: "/etc/passwd" }).stderr).toContain("USAGE");
    });

    it("does without a shell in the image", async () => {
      const image = await writeTestLayout(join(place.path, "bare"), {
        layers: [hostPrograms(["readlink"])],
        config: { Env: ["PATH=/usr/bin:/bin"] },
      });
      const number = ++step;
      for (let n = 0; n < 2; n++)
        expect(rank(["readlink", "/proc/self/ns/user"], { image }, number).stdout).toMatch(
          /^user:\[\d+\]\n$/,
        );
    });

    it("is root of its own where that is asked for", () => {
      const script = "id -u; touch /x /data/y && stat -c %u /data/y";
      const data = folder(place.path, "rooted", uid);
      writeFileSync(join(data, "keep"), "");
      const binds = [{ source: data, target: "/data", readOnly: false }];
      expect(rank(["sh", "-c", script], { fakeroot: true, binds }).stdout).toBe("0\n0\n");
    });

    it("has no network of others", () => {
      const result = rank(["cat", "/proc/net/dev"], { network: "none" });
      expect([...result.stdout.matchAll(/^\s*(\w+):/gm)].map((match) => match[1])).toEqual(["lo"]);
    });
  },
);
