import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { folder, type RunnerOptions, run, runnerTrouble, scratch, startRun } from "../support/runner.ts";

const installed = spawnSync("apptainer", ["--version"]).status === 0;
const trouble = runnerTrouble() ?? (installed ? undefined : "Apptainer is not installed");
const users =
  process.getuid?.() === 0
    ? [{ who: "root" }, { who: "an ordinary user", uid: 65534 }]
    : [{ who: "this user" }];

describe.skipIf(trouble !== undefined).each(users)(
  `Apptainer, as $who${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  ({ uid }) => {
    const place = scratch(uid);
    let options: RunnerOptions;

    beforeAll(async () => {
      const image = await writeTestLayout(join(place.path, "image"), {
        layers: [hostPrograms(["bash", "sh", "cat", "env", "id", "sleep", "touch"])],
        config: { Env: ["PATH=/usr/bin:/bin", "IMAGE=it's $HOME"] },
      });
      options = {
        image,
        runtime: "apptainer",
        cacheDirectory: folder(place.path, "cache", uid),
        environment: { HOME: place.path, SECRET_OF_THE_MACHINE: "leak" },
        ...(uid === undefined ? {} : { uid }),
      };
    });
    afterAll(() => place.dispose());

    it("runs the image with arguments, variables and binds, and gives the exit status", () => {
      const data = folder(place.path, "data, dir", uid);
      writeFileSync(join(data, "old"), "old\n");
      const script = `for a; do printf '%s\\0' "$a"; done; env -0; cat /ro/old; echo new > "/new place/new"; touch /ro/x; touch /y && exit 7`;
      const args = ["a b", "c'd", "", "g\nh", "$HOME", "*"];
      const result = run(["sh", "-c", script, "sh", ...args], {
        ...options,
        binds: [
          { source: data, target: "/new place", readOnly: false },
          { source: data, target: "/ro", readOnly: true },
        ],
        env: { LINES: "one\ntwo $(id)", LD_LIBRARY_PATH: "/elsewhere" },
      });
      const words = result.stdout.split("\0");
      expect(words.slice(0, args.length)).toEqual(args);
      expect(words).toContain("IMAGE=it's $HOME");
      expect(words).toContain("LINES=one\ntwo $(id)");
      expect(words.find((word) => word.startsWith("LD_LIBRARY_PATH="))).toContain("/elsewhere");
      expect(words.filter((word) => word.includes("leak"))).toEqual([]);
      expect(words.at(-1)).toBe("old\n");
      expect(readFileSync(join(data, "new"), "utf8")).toBe("new\n");
      expect(result.stderr).toContain("Read-only file system");
      expect(result.status).toBe(7);
      expect(run(["cat", "/etc/hosts"], options).stdout.split(/\s+/)).toContain(hostname());
    });

    it("passes signals on", async () => {
      const running = startRun(
        ["sh", "-c", "trap 'echo got; exit 42' TERM; echo ready; while :; do sleep 0.1; done"],
        options,
      );
      await running.says("ready");
      running.child.kill("SIGTERM");
      expect(await running.ended).toMatchObject({ status: 42, stdout: "ready\ngot\n" });
    });
  },
);
