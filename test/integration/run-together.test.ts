import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { hostTag, startOfProcess } from "../../src/util/processes.ts";
import { type CommandResult, makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { findApptainer } from "../support/demoSite.ts";
import { hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { makeOrdinaryUser, type OrdinaryUser, ordinaryUserTrouble } from "../support/ordinaryUser.ts";
import { podmanTrouble } from "../support/podman.ts";
import { runnerTrouble } from "../support/runner.ts";

const trouble = runnerTrouble() ?? ordinaryUserTrouble();
const apptainer = findApptainer();
const runtimes = [
  { runtime: "namespace", missing: undefined, made: "unpack" },
  {
    runtime: "podman",
    // Who is not root needs it for more than one number.
    missing: podmanTrouble() ?? (commandExists("newuidmap") ? undefined : "newuidmap is not installed"),
    made: "write",
  },
  {
    runtime: "apptainer",
    missing: apptainer === undefined ? "Apptainer is not here" : undefined,
    made: "unpack",
  },
] as const;
const many = 8;

describe.skipIf(trouble !== undefined)(
  `several runs at a time, as an ordinary user${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let user: OrdinaryUser;
    let work: Workplace;
    let layout: string;
    let attempts = 0;
    beforeAll(async () => {
      user = makeOrdinaryUser();
      work = makeWorkplace("spacktainers: 1\n");
      chmodSync(work.directory, 0o755);
      layout = await imageOf("image");
    });
    afterAll(() => {
      user?.remove();
      work?.remove();
    });

    const imageOf = (name: string): Promise<string> =>
      writeTestLayout(work.path(name), {
        layers: [hostPrograms(["bash", "sh", "sleep"])],
        config: { Env: ["PATH=/usr/bin:/bin", `NAME=${name}`] },
      });
    const environment = (cache: string): NodeJS.ProcessEnv => ({
      ...user.environment,
      XDG_CACHE_HOME: join(user.home, cache),
      PATH: [process.env.PATH, ...(apptainer === undefined ? [] : [join(apptainer, "..")])].join(":"),
      APPTAINER_UNSQUASH: "1",
    });
    const exec = (runtime: string, cache: string, image: string, script: string): Promise<CommandResult> =>
      work.run(["exec", "--json", "--with", runtime, image, "--", "sh", "-c", script], {
        uid: user.uid,
        env: environment(cache),
      });

    it.each(runtimes)("bring the image to $runtime once", async ({ runtime, missing, made }) => {
      if (missing !== undefined) return;
      // A test that is repeated must not find what its first attempt left.
      const cache = `cold-${runtime}-${++attempts}`;
      const image = await imageOf(cache);
      const all = await Promise.all(
        Array.from({ length: many }, (_, n) => exec(runtime, cache, image, `echo ran ${n}; sleep 0.2`)),
      );
      for (const [n, { status, stdout, stderr }] of all.entries()) {
        expect(status, stderr + stdout).toBe(0);
        expect(stdout).toContain(`ran ${n}\n`);
      }
      const tasks = all.flatMap(({ stdout }) =>
        stdout.split("\n").filter((line) => line.includes('"task-start"') && line.includes(`"${made}"`)),
      );
      expect(tasks).toHaveLength(1);
      const rootfs = join(user.home, cache, "spacktainers/rootfs");
      const left = runtime === "podman" ? [] : readdirSync(rootfs).filter((name) => /^\.(?!$)/.test(name));
      expect(left).toEqual([]);
    });

    it("say whom they wait for, and do it themselves when that one is gone", async () => {
      const cache = join(user.home, "held/spacktainers/rootfs");
      mkdirSync(cache, { recursive: true });
      const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
      const blob = (digest: string) => readFileSync(join(layout, "blobs/sha256", digest.slice(7)), "utf8");
      const manifest = JSON.parse(blob(index.manifests[0].digest));
      const id = JSON.parse(blob(manifest.config.digest)).rootfs.diff_ids[0].slice(7, 39);
      const holder = spawn("sleep", ["300"], { stdio: "ignore" });
      const pid = holder.pid ?? 0;
      const lock = join(cache, `.${id}.lock`);
      writeFileSync(
        lock,
        `${hostTag} ${pid} .tmp-x ${readlinkSync("/proc/self/ns/pid")} ${startOfProcess(pid)}`,
      );
      spawnSync("chown", ["-R", `${user.uid}`, join(user.home, "held")]);
      const waiting = work.start(["exec", "--with", "namespace", layout, "--", "sh", "-c", "echo ran"], {
        uid: user.uid,
        env: environment("held"),
      });
      let said = "";
      for (const stream of [waiting.stdout, waiting.stderr])
        stream?.setEncoding("utf8").on("data", (text: string) => {
          said += text;
        });
      const ended = new Promise((done) => waiting.once("close", done));
      const words = `waiting for process ${pid} on ${hostTag}, which is unpacking layer ${id.slice(0, 12)}\n`;
      await vi.waitFor(() => expect(said).toContain(words), { timeout: 60_000, interval: 50 });
      expect(said).not.toContain("ran");
      holder.kill("SIGKILL");
      expect(await ended).toBe(0);
      expect(said).toContain("ran\n");
    });
  },
);
