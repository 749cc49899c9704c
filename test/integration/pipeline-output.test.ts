import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, makeWorkplace } from "../support/cli.ts";
import { digestOfBuild, jsonLines } from "../support/cliChecks.ts";
import { type DemoCache, makeDemoRepository } from "../support/demoCache.ts";
import { runs } from "../support/staticServer.ts";

const work = makeWorkplace();
afterAll(() => work.remove());
let cache: DemoCache;
beforeAll(() => {
  cache = makeDemoRepository(work);
});

/** Everything is made anew. */
function forget(): void {
  rmSync(work.cacheHome, { recursive: true, force: true });
  rmSync(work.path("dist"), { recursive: true, force: true });
}

const kinds = [
  "container-start",
  "container-end",
  "stage",
  "task-start",
  "task-progress",
  "task-end",
  "job",
  "warning",
  "retry",
];
const csi = "\u001b";

describe("what a build says", () => {
  it("as JSON: an event a line, every task that begins ends, the result last", async () => {
    forget();
    const result = await work.run(["build", "hello-mpi", "--json"]);
    expect(result.stderr).toBe("");
    digestOfBuild(result);
    const events = jsonLines(result).slice(0, -1);
    for (const { type } of events) expect(kinds).toContain(type);
    const ids = (type: string) => events.filter((event) => event.type === type).map(({ id }) => id);
    expect(ids("task-start").length).toBeGreaterThan(5);
    expect(ids("task-end").sort()).toEqual(ids("task-start").sort());
    const stages = events.filter(({ type }) => type === "stage").map(({ stage }) => stage);
    expect(stages[0]).toBe("choose-packages");
    expect(stages.at(-1)).toBe("write-image");
  });

  it("as JSON: the error last, with code, place and hint", async () => {
    forget();
    cpSync(cache.directory, work.path("other"), { recursive: true });
    const text = await work.run(["build", "hello-mpi", "--json", "--cache", "other"]);
    expect(text.stderr).toBe("");
    expect(text.status).toBe(5);
    expect(jsonLines(text).at(-1)).toEqual({
      type: "error",
      errors: [
        {
          code: "KEY_UNKNOWN",
          message: expect.stringContaining("not trusted here"),
          spec: expect.stringMatching(/^[\w-]+@[\d.]+\/[a-z0-9]{7}$/),
          url: expect.stringContaining(work.path("other")),
          hint: expect.stringContaining("--trust"),
        },
      ],
    });
  });

  it("in plain lines when nobody watches: stages and tasks on one stream, the result on the other", async () => {
    forget();
    const { status, stdout, stderr } = await work.run(["build", "hello-mpi"]);
    expect(status).toBe(0);
    expect(stdout + stderr).not.toContain(csi);
    expect(stderr.split("\n")).toEqual(
      expect.arrayContaining([
        "Choosing packages",
        "Looking up packages (3)",
        "Installing packages (3)",
        expect.stringMatching(/^ {2}installed mpich@4\.0\.2/),
        "Writing the image",
      ]),
    );
    expect(stdout).toMatch(
      /^hello-mpi 1\.0\.0 amd64 {2}3 packages, [\d.]+ MB in \d+ layers .*\n {2}oci:\S+\n {2}sha256:[0-9a-f]{64}\n$/,
    );
  });

  it("nothing but the result with --quiet, before or after the verb", async () => {
    for (const args of [
      ["--quiet", "build", "hello-mpi"],
      ["build", "hello-mpi", "-q"],
    ]) {
      forget();
      const { status, stdout, stderr } = await work.run(args);
      expect(status).toBe(0);
      expect(stderr).toBe("");
      expect(stdout).toContain("sha256:");
    }
  });

  it.skipIf(!runs("script", ["--version"]))(
    "a live display on a terminal, in colour unless told not to",
    () => {
      const onTerminal = (env: NodeJS.ProcessEnv): string => {
        forget();
        const command = `"${process.execPath}" "${binary}" build hello-mpi`;
        const { stdout, status } = spawnSync("script", ["-qec", command, "/dev/null"], {
          cwd: work.directory,
          env: { ...process.env, TERM: "xterm", XDG_CACHE_HOME: work.cacheHome, ...env },
          encoding: "utf8",
        });
        expect(status).toBe(0);
        expect(stdout).toContain("sha256:");
        return stdout;
      };
      const bold = `${csi}[1m`;
      const up = new RegExp(`${csi}\\[\\d+A`);
      const live = onTerminal({ NO_COLOR: "" });
      expect(live).toMatch(up);
      expect(live).toContain(bold);
      expect(onTerminal({ NO_COLOR: "1" })).not.toContain(bold);
      expect(onTerminal({ TERM: "dumb" })).not.toContain(csi);
    },
  );
});
