import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { directory, file, hostPrograms, symlink, writeTestLayout } from "../support/hostImage.ts";
import {
  folder,
  mountsOf,
  type RunnerOptions,
  run,
  runnerLine,
  scratch,
  startRun,
} from "../support/runner.ts";
import { patience, programs, trouble, users } from "./namespaceRuns.ts";

describe.skipIf(trouble !== undefined).each(users)(
  `our own runner, as $who${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  ({ uid }) => {
    const place = scratch(uid);
    let options: RunnerOptions;
    let layout: string;

    beforeAll(async () => {
      layout = await writeTestLayout(join(place.path, "image"), {
        layers: [hostPrograms(programs)],
        config: { Env: ["PATH=/usr/bin:/bin", 'IMAGE=it\'s "here"'], Cmd: ["sh", "-c", "echo default"] },
      });
      options = base(layout);
    });
    afterAll(() => place.dispose());

    function base(image: string, cache = folder(place.path, "cache", uid)): RunnerOptions {
      return { image, runtime: "namespace", cacheDirectory: cache, ...(uid === undefined ? {} : { uid }) };
    }
    const sh = (script: string, more: Partial<RunnerOptions> = {}, ...args: string[]) =>
      run(["sh", "-c", script, "sh", ...args], { ...options, ...more });

    it("gives back the program's exit status", () => {
      expect(sh("exit 0").status).toBe(0);
      expect(sh("exit 7").status).toBe(7);
      expect(sh("kill -TERM $$").status).toBe(143);
      expect(sh("kill -KILL $$").status).toBe(137);
      expect(run([], options).stdout).toBe("default\n");
      const missing = run(["no-such-program"], options);
      expect(missing.status).toBe(127);
      expect(missing.stderr).toContain("spacktainers: no-such-program: no such program in the container");
      expect(run(["/etc/passwd"], options).status).toBe(126);
    });

    it("passes arguments on exactly", () => {
      const args = ["a b", "c'd", 'e"f', "", "g\nh\n", "$HOME", "*", "\\", "--", "-n", "`x`", "é\t"];
      const result = sh('for a; do printf "%s\\0" "$a"; done', {}, ...args);
      expect(result.stdout.split("\0").slice(0, -1)).toEqual(args);
    });

    it("sets the image's environment and what is asked for, and nothing else", () => {
      const env = { LINES: "one\ntwo\n", QUOTE: "it's $HOME", LD_LIBRARY_PATH: "/nowhere" };
      const environment = { SECRET_OF_THE_MACHINE: "leak", LC_ALL: "C.UTF-8", IMAGE: "outside" };
      const result = run(["env", "-0"], { ...options, env, environment });
      const found = Object.fromEntries(
        result.stdout
          .split("\0")
          .filter(Boolean)
          .map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]),
      );
      // Who is in no table of users has the variable's.
      const own = uid === undefined ? userInfo().homedir : process.env.HOME;
      expect(found).toEqual({ ...env, PATH: "/usr/bin:/bin", IMAGE: `it's "here"`, HOME: own });
    });

    it("keeps values of variables out of command lines", () => {
      const result = sh("ps axww", { env: { TOKEN: "hunter2hunter2" } });
      expect(result.stdout).toContain("ps axww");
      expect(result.stdout).not.toContain("hunter2");
      expect(run(["true"], { ...options, print: true, env: { TOKEN: "hunter2" } }).stdout).not.toContain(
        "hunter2",
      );
    });

    it("reads standard input and writes as much as it likes", () => {
      expect(run(["wc", "-c"], { ...options, input: "x".repeat(300_000) }).stdout.trim()).toBe("300000");
      expect(sh("head -c 3000000 /dev/zero | tr '\\0' y").stdout.length).toBe(3_000_000);
      expect(sh("echo out; echo err >&2")).toMatchObject({ stdout: "out\n", stderr: "err\n" });
    });

    it("binds directories and files, writable and read-only, wherever they are asked for", () => {
      const data = folder(place.path, "data dir", uid);
      const inner = folder(data, "inner", uid);
      writeFileSync(join(place.path, "one file"), "content\n");
      const result = sh(
        'echo made > /data/made; echo no > "/ro mount/x"; cat "/new/place/a file"; ls /data; pwd; echo in > /data/inner/y',
        {
          binds: [
            { source: inner, target: "/data/inner", readOnly: false },
            { source: data, target: "/data", readOnly: false },
            { source: data, target: "/ro mount", readOnly: true },
            { source: join(place.path, "one file"), target: "/new/place/a file", readOnly: true },
          ],
          workdir: "/data/inner/",
        },
      );
      expect(result.stdout).toBe("content\ninner\nmade\n/data/inner\n");
      expect(result.stderr).toMatch(/ro mount\/x.*Read-only/);
      expect(readFileSync(join(data, "made"), "utf8")).toBe("made\n");
      expect(readFileSync(join(inner, "y"), "utf8")).toBe("in\n");
      expect(existsSync(join(data, "x"))).toBe(false);
    });

    it("makes read-only what is mounted inside a read-only bind, too", () => {
      const bind = { source: "/", target: "/machine", readOnly: true };
      const before = readdirSync("/dev/shm");
      const result = sh("touch /machine/dev/shm/spacktainers-test; touch /machine/tmp/spacktainers-test", {
        binds: [bind],
      });
      expect(result.stderr.match(/Read-only file system/g)?.length).toBe(2);
      expect(readdirSync("/dev/shm")).toEqual(before);
    });

    it("says what is wrong with a bind or a working directory", () => {
      const refused = (more: Partial<RunnerOptions>) => {
        const result = sh("echo started", more);
        expect(result.stdout).toBe("");
        expect(result.status).toBe(99);
        return result.stderr;
      };
      const source = join(place.path, "image");
      expect(refused({ binds: [{ source: "/no/such", target: "/x", readOnly: false }] })).toMatch(
        /NOT_FOUND.*\/no\/such/,
      );
      expect(refused({ binds: [{ source, target: "x", readOnly: false }] })).toContain("USAGE");
      expect(refused({ binds: [{ source, target: "/", readOnly: false }] })).toContain("USAGE");
      expect(refused({ binds: [{ source, target: "/usr/../..", readOnly: false }] })).toContain("USAGE");
      expect(refused({ binds: [{ source, target: "/etc/passwd", readOnly: false }] })).toContain("USAGE");
      expect(refused({ binds: [{ source, target: "/proc/x", readOnly: false }] })).toContain("USAGE");
      expect(refused({ workdir: "/etc/passwd" })).toContain("USAGE");
      expect(refused({ workdir: "relative" })).toContain("USAGE");
    });

    it("drops what is written, and has places to write to", () => {
      expect(
        sh(
          "echo 1 > /etc/passwd && echo 2 > /new && rm -r /usr/bin/mv && mkdir /usr/bin/mv && mv --version",
          {},
        ).status,
      ).toBeGreaterThan(0);
      const again = sh(
        "cat /etc/passwd; ls /new; mv --version | head -n 1; echo x > /tmp/x; echo x > /dev/shm/$$; rm /dev/shm/$$",
      );
      expect(again.stdout).toMatch(/^root:x:0:0/);
      expect(again.stdout).toContain("mv (GNU coreutils)");
      expect(again.stderr).toMatch(/\/new/);
    });

    it("refuses writing to the root when asked to, but not to temporary directories", () => {
      const result = sh(
        "echo a > /etc/x; echo b > /tmp/x && echo c > /run/x && echo d > /var/tmp/x && echo fine",
        { readOnly: true },
      );
      expect(result.stdout).toBe("fine\n");
      expect(result.stderr).toMatch(/Read-only file system/);
    });

    it("is whoever starts it, with a name and a home directory of its own", () => {
      const own = uid ?? process.getuid?.();
      const script =
        'id -u; id -g; id -un >/dev/null && echo named; touch "$HOME/x" && ls "$HOME"; stat -c %u /etc';
      expect(sh(script).stdout).toBe(`${own}\n${own}\nnamed\nx\n${own}\n`);
      const status = sh("cat /proc/self/status").stdout;
      // Root has all rights in its own namespace, others none.
      expect(/^CapEff:\s*(\w+)/m.exec(status)?.[1] === "0000000000000000").toBe(own !== 0);
    });

    it("has the directories bound as its own", () => {
      const data = folder(place.path, "owned", uid);
      const own = uid ?? process.getuid?.();
      const binds = [{ source: data, target: "/data", readOnly: false }];
      expect(sh("touch /data/new; stat -c %u /data /data/new", { binds }).stdout).toBe(`${own}\n${own}\n`);
      expect(statSync(join(data, "new")).uid).toBe(own);
      const asRoot = sh("touch /data/root; stat -c %u /data/root", { binds, fakeroot: true });
      expect(asRoot.stdout).toBe("0\n");
      expect(statSync(join(data, "root")).uid).toBe(own);
    });

    it.each([true, false])("has no power over the machine (root inside: %s)", (fakeroot) => {
      const result = sh(
        `
      id -u
      for f in /proc/sys/kernel/hostname /sys/kernel/profiling /proc/sysrq-trigger; do
        ( echo x > $f ) 2>/dev/null && echo "could write $f"
      done
      ls /proc/1/root/ 2>/dev/null && echo "could see the machine"
      cat /proc/1/comm; ls -A /dev/.old; echo end`,
        { fakeroot },
      );
      expect(result.stdout).toBe(`${fakeroot ? 0 : (uid ?? process.getuid?.())}\nsh\nend\n`);
    });

    it("knows the machine's name", () => {
      const result = sh("cat /etc/hostname /etc/hosts");
      expect(result.stdout.split("\n")[0]).toBe(hostname());
      expect(result.stdout.split("\n").slice(1).join(" ").split(/\s+/)).toContain(hostname());
    });

    it("has only a loopback interface without a network", () => {
      const result = sh("cat /proc/net/dev /etc/hosts; ls /sys/class/net; ls /etc/resolv.conf", {
        network: "none",
      });
      const interfaces = [...result.stdout.matchAll(/^\s*(\w+):/gm)].map((match) => match[1]);
      expect(interfaces).toEqual(["lo"]);
      expect(result.stdout).toContain(`127.0.0.1\t${hostname()}`);
      expect(result.stderr).toContain("/etc/resolv.conf");
    });

    it.each(["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const)("passes %s on", async (signal) => {
      const name = signal.slice(3);
      const script = `trap 'echo got ${name}; exit 42' ${name}; echo ready; while :; do sleep 0.05; done`;
      const running = startRun(["sh", "-c", script], options);
      await running.says("ready");
      running.child.kill(signal);
      expect(await running.ended).toMatchObject({ status: 42, stdout: `ready\ngot ${name}\n` });
    });

    it("lets Ctrl-C on a terminal reach the program, once, and the program decide", async () => {
      const script = `trap 'echo got INT' INT; echo ready; n=0; while [ $n -lt 15 ]; do sleep 0.1; n=$((n + 1)); done; tty; exit 9`;
      const line = runnerLine(["sh", "-c", script], { ...options, environment: {} });
      // `exec`, for a shell of script's (dash) that stayed between would die of the same Ctrl-C.
      const child = spawn("script", ["-qfec", `exec ${line}`, "/dev/null"], {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, SHELL: "/bin/sh" },
      });
      let output = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        if (!output.includes("ready") && (output + text).includes("ready")) child.stdin.write("\u0003");
        output += text;
      });
      const status = await new Promise((done) => child.once("close", done));
      expect(output.match(/got INT/g)?.length).toBe(1);
      expect(output).toContain("/dev/console");
      expect(status).toBe(9);
    });

    it("is ended by a signal like any program", async () => {
      const running = startRun(["sh", "-c", "echo ready; exec sleep 60"], options);
      await running.says("ready");
      running.child.kill("SIGTERM");
      expect((await running.ended).status).toBe(143);
    });

    it("leaves nothing behind when it is killed", async () => {
      const mark = `60.${process.pid}${uid ?? 0}`;
      const running = startRun(["sh", "-c", `sleep ${mark} & echo ready; exec sleep ${mark}`], options);
      await running.says("ready");
      const left = () => spawnSync("pgrep", ["-fx", `sleep ${mark}`], { encoding: "utf8" }).stdout.trim();
      expect(left().split("\n").length).toBe(2);
      running.child.kill("SIGKILL");
      await vi.waitFor(() => expect(left()).toBe(""), patience);
      expect(mountsOf(place.path)).toEqual([]);
      expect(sh("echo again").stdout).toBe("again\n");
    });

    it("ends what the program left running", async () => {
      const mark = `61.${process.pid}${uid ?? 0}`;
      expect(sh(`sleep ${mark} >/dev/null 2>&1 & echo done`).stdout).toBe("done\n");
      const left = () => spawnSync("pgrep", ["-fx", `sleep ${mark}`]).status;
      await vi.waitFor(() => expect(left()).toBe(1), patience);
    });

    it("unpacks once when several start at the same time", async () => {
      const fresh = { ...options, cacheDirectory: folder(place.path, "fresh cache", uid) };
      const all = [1, 2, 3].map((n) => startRun(["sh", "-c", `echo ${n}; sleep 0.3`], fresh));
      const results = await Promise.all(all.map((one) => one.ended));
      expect(results.map((result) => [result.status, result.stdout])).toEqual(
        [1, 2, 3].map((n) => [0, `${n}\n`]),
      );
      const names = readdirSync(join(fresh.cacheDirectory, "rootfs"));
      expect(names.filter((name) => name.startsWith(".tmp-"))).toEqual([]);
      expect(names.filter((name) => /^[0-9a-f]{32}$/.test(name)).length).toBe(1);
    });

    it("applies layers that change and remove what is below them", async () => {
      const image = await writeTestLayout(join(place.path, "layers"), {
        layers: [
          hostPrograms(programs),
          [
            directory("opt"),
            file("opt/a", "1"),
            file("opt/b", "1"),
            directory("opt/d"),
            file("opt/d/old", "1"),
          ],
          [
            file("opt/.wh.a", ""),
            file("opt/b", "2"),
            directory("opt/d"),
            file("opt/d/.wh..wh..opq", ""),
            file("opt/d/new", ""),
          ],
          [directory("srv"), file("srv/top", "top")],
        ],
      });
      const result = run(["sh", "-c", "cd /opt; ls . d; cat b /srv/top"], base(image));
      expect(result.stdout).toBe(".:\nb\nd\n\nd:\nnew\n2top");
    });

    it("takes layers without an end, as some tools write them", async () => {
      const layers = [hostPrograms(programs)];
      const image = await writeTestLayout(join(place.path, "endless"), { layers, trailer: false });
      expect(run(["sh", "-c", "echo fine"], base(image)).stdout).toBe("fine\n");
    });

    it("lets no link of an image lead out of it", async () => {
      const outside = folder(place.path, "outside", uid);
      mkdirSync(join(outside, "dev"));
      chmodSync(outside, 0o777);
      const link = (name: string) => symlink(name, `${outside}/${name}`);
      const kept = hostPrograms(programs).filter((entry) => !/^(etc|root)($|\/)/.test(entry.path));
      const image = await writeTestLayout(join(place.path, "hostile"), {
        layers: [
          [
            ...kept,
            ...["etc", "root", "proc", "dev", "sys", "run"].map(link),
            symlink("data", "../../../etc"),
          ],
        ],
        config: { Env: ["PATH=/usr/bin"] },
      });
      const source = folder(place.path, "source", uid);
      const result = run(["sh", "-c", "echo fine; ls /proc/self/comm; ls /data/"], {
        ...base(image),
        binds: [{ source, target: "/data/bound", readOnly: false }],
      });
      expect(result).toMatchObject({ status: 0, stderr: "" });
      expect(result.stdout).toMatch(/^fine\n\/proc\/self\/comm\nbound\n(?:group\n)?hostname\nhosts\n/);
      expect(readdirSync(outside)).toEqual(["dev"]);
      expect(readdirSync(join(outside, "dev"))).toEqual([]);
    });

    it("gives no file more rights than its owner's", async () => {
      const image = await writeTestLayout(join(place.path, "setuid"), {
        layers: [[...hostPrograms(programs), file("usr/bin/raise", "#!/bin/sh\nid", 0o6755)]],
      });
      expect(run(["stat", "-c", "%a", "/usr/bin/raise"], base(image)).stdout).toBe("755\n");
    });

    it("refuses a layer that is not what the image says", async () => {
      const image = await writeTestLayout(join(place.path, "damaged"), { layers: [[file("a", "b")]] });
      const other = await writeTestLayout(join(place.path, "other"), { layers: [[file("a", "c")]] });
      const layer = (path: string) => {
        const index = JSON.parse(readFileSync(join(path, "index.json"), "utf8"));
        const blob = (digest: string) => join(path, "blobs", "sha256", digest.slice(7));
        const manifest = JSON.parse(readFileSync(blob(index.manifests[0].digest), "utf8"));
        return blob(manifest.layers[0].digest);
      };
      writeFileSync(layer(image), readFileSync(layer(other)));
      const result = run(["true"], base(image));
      expect(result.status).toBe(99);
      expect(result.stderr).toContain("CHECKSUM_MISMATCH");
      expect(
        readdirSync(join(place.path, "cache", "rootfs")).filter((name) => name.startsWith(".tmp")),
      ).toEqual([]);
    });

    it("does without process numbers of its own where /proc cannot be mounted", async () => {
      // What covers a part of /proc would show again in a new one: the kernel then forbids it.
      const covered = 'mount -t tmpfs tmpfs /proc/sys && exec "$@"';
      const more = { ...options, through: ["unshare", "-U", "-r", "-m", "sh", "-c", covered, "sh"] };
      const result = run(["sh", "-c", "readlink /proc/self; echo $$; exit 9"], more);
      expect(result.status).toBe(9);
      expect(Number(result.stdout.split("\n")[1])).toBeGreaterThan(100);
      const mark = `62.${process.pid}${uid ?? 0}`;
      const running = startRun(["sh", "-c", `echo ready; exec sleep ${mark}`], more);
      await running.says("ready");
      running.child.kill("SIGKILL");
      const left = () => spawnSync("pgrep", ["-fx", `sleep ${mark}`]).status === 0;
      await vi.waitFor(() => expect(left()).toBe(false), patience);
    });

    it("says which setting forbids namespaces", () => {
      const script = `echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"`;
      const through = ["unshare", "-U", "-r", "sh", "-c", script, "sh"];
      const denied = run(["true"], { ...options, through });
      expect(denied.stderr).toMatch(/RUNTIME_MISSING .*sysctl user\.max_user_namespaces=/);
    });
  },
);
