import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeKey } from "../support/signingKey.ts";
import { startOnTerminal, terminalTrouble } from "../support/terminalSession.ts";

const trouble = debianTrouble();
const demo = join(demoRepository, "demo/cache");
const key = join(demoRepository, "demo/cache.pub");
const work = makeWorkplace();
afterAll(() => work.remove());
/** A key that signed nothing. */
async function otherKey(): Promise<string> {
  const path = work.path("other.pub");
  writeFileSync(path, (await makeKey()).armored);
  return path;
}
/** Nobody in particular. */
const uid = 65_534;

describe("init", () => {
  beforeAll(() => chmodSync(work.directory, 0o777));

  it("makes a repository that is without fault, as an ordinary user, and asks nothing without a terminal", async () => {
    const made = await work.run(["init", "mine"], { uid });
    expect(made.stderr).toBe("");
    expect(made.status).toBe(0);
    expect(readdirSync(work.path("mine")).sort()).toEqual([
      ".github",
      ".gitignore",
      "README.md",
      "builder",
      "container_definitions",
      "demo",
      "runtime",
      "schema",
      "sites",
      "spacktainers.yaml",
    ]);
    expect(readFileSync(work.path("mine/spacktainers.yaml"), "utf8")).toMatch(
      /^# yaml-language-server: \$schema=\.\/schema\/spacktainers\.json\n/,
    );
    const checked = await work.run(["check", "-C", "mine"], { uid });
    expect(checked.stdout).toMatch(/0 errors, 0 warnings/);
    const pipelines = await work.run(["ci", "check", "-C", "mine"], { uid });
    expect(pipelines).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(work.path("mine/README.md"), "utf8")).toContain("spacktainers ci check");
    const schema = JSON.parse(readFileSync(work.path("mine/schema/spacktainers.json"), "utf8"));
    expect(schema.title).toBe("spacktainers.yaml");
  });

  it.skipIf(trouble !== undefined)(
    `whose example builds and runs at once (${trouble ?? "Debian archive"})`,
    async () => {
      const built = await work.run(["build", "-C", "mine", "hello-mpi"], { uid });
      expect(built.stderr).not.toContain("error");
      expect(built.status).toBe(0);
      const ran = await work.run(
        ["run", "-C", "mine", "--with", "namespace", "hello-mpi", "--", "mpiexec", "-n", "2", "ring"],
        { uid },
      );
      expect(ran.stdout).toMatch(/2 ranks .*right/);
    },
  );

  it("overwrites nothing, says what it left, and is the same when it is run again", async () => {
    mkdirSync(work.path("there/container_definitions/amd64"), { recursive: true });
    const own = { "README.md": "mine\n", ".gitignore": "*.o\n", "builder/Dockerfile": "FROM scratch\n" };
    mkdirSync(work.path("there/builder"));
    for (const [path, text] of Object.entries(own)) writeFileSync(work.path("there", path), text);
    const made = await work.run(["init", "there", "--yes", "--json"]);
    const result = JSON.parse(made.stdout.trim().split("\n").at(-1) ?? "") as {
      readonly created: readonly string[];
      readonly kept: readonly string[];
    };
    expect([...result.kept].sort()).toEqual([".gitignore", "README.md", "builder/Dockerfile"]);
    expect(made.stdout).toContain(".gitignore is left unchanged; it lacks /dist/");
    for (const [path, text] of Object.entries(own))
      expect(readFileSync(work.path("there", path), "utf8")).toBe(text);
    const configuration = readFileSync(work.path("there/spacktainers.yaml"), "utf8");
    const again = await work.run(["init", "there", "--yes"]);
    expect(again.status).toBe(0);
    expect(again.stderr).toContain("there is a spacktainers.yaml already: init leaves it unchanged");
    expect(again.stdout).toContain("there  0 files made");
    expect(readFileSync(work.path("there/spacktainers.yaml"), "utf8")).toBe(configuration);
  });

  it("writes nothing for answers that make no configuration, or no sense", async () => {
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [["--cache", "s3://x"], 2, "no key is given to verify the packages of the cache"],
      [["--cache", "https://user:word@host/x", "--unsigned", "--no-example"], 3, "must not carry a password"],
      [["--trust", key], 2, "--trust needs a cache"],
      [["--base", "debian:Book worm"], 3, "is not the name of a suite"],
      [["--base", "nonsense"], 2, "--base nonsense is not a base"],
      [["--arch", "riscv"], 2, "not an architecture"],
      [["--cache", demo, "--trust", join(demoRepository, "package.json")], 5, "KEY_INVALID"],
    ];
    for (const [args, status, message] of cases) {
      const ran = await work.run(["init", "refused", ...args]);
      expect(ran.stderr).toContain(message);
      expect(ran.status).toBe(status);
      expect(existsSync(work.path("refused"))).toBe(false);
    }
    writeFileSync(work.path("file"), "");
    expect((await work.run(["init", "file"])).status).toBe(2);
  });

  it("leaves nothing when a file cannot be made", async () => {
    mkdirSync(work.path("halfway/sites"), { recursive: true });
    writeFileSync(work.path("halfway/schema"), "a file where a folder is needed");
    const ran = await work.run(["init", "halfway"]);
    expect(ran.status).toBe(1);
    expect(readdirSync(work.path("halfway")).sort()).toEqual(["schema", "sites"]);
  });

  const hasGit = commandExists("git");
  const lacking = hasGit ? "" : " (skipped: there is no git)";
  it.skipIf(!hasGit)(
    `writes the pipelines of the host that git's remote names, or that is asked for${lacking}`,
    async () => {
      for (const [folder, remote, options, file] of [
        ["on-github", "git@github.com:my-org/x.git", [], ".github/workflows"],
        ["on-gitlab", "https://gitlab.example.org/x.git", [], ".gitlab-ci.yml"],
        ["asked-for", "https://git.example.org/x.git", ["--ci", "gitlab"], ".gitlab-ci.yml"],
        ["no-remote", undefined, ["--catalogue"], ".github/workflows/spacktainers-catalogue.yml"],
      ] as const) {
        mkdirSync(work.path(folder));
        for (const args of [
          ["init", "-q"],
          ...(remote === undefined ? [] : [["remote", "add", "origin", remote]]),
        ])
          expect(spawnSync("git", args, { cwd: work.path(folder), timeout: 60_000 }).status).toBe(0);
        const made = await work.run(["init", folder, "--registry", "ghcr.io/my-org", ...options]);
        expect(made.status, made.stderr).toBe(0);
        expect(existsSync(work.path(folder, file))).toBe(true);
        const checked = await work.run(["ci", "check", "-C", folder]);
        expect(checked.status, checked.stderr + checked.stdout).toBe(0);
      }
    },
  );

  it("writes no pipelines where there can be none, is a repository already, or nobody wants them", async () => {
    mkdirSync(work.path("elsewhere"));
    if (hasGit) {
      const remote = ["remote", "add", "origin", "https://git.example.org/x.git"];
      for (const args of [["init", "-q"], remote])
        spawnSync("git", args, { cwd: work.path("elsewhere"), timeout: 60_000 });
    }
    await work.run(["init", "elsewhere", ...(hasGit ? [] : ["--ci", "none"])]);
    mkdirSync(work.path("configured"));
    writeFileSync(work.path("configured/spacktainers.yaml"), "spacktainers: 1\n");
    await work.run(["init", "configured"]);
    for (const folder of ["elsewhere", "configured"]) {
      expect(existsSync(work.path(folder, "schema"))).toBe(true);
      expect(existsSync(work.path(folder, ".github"))).toBe(false);
    }
    // The pipeline of somebody else's says whose host it is.
    mkdirSync(work.path("lab"));
    writeFileSync(work.path("lab/.gitlab-ci.yml"), "test: { script: [make] }\n");
    const made = await work.run(["init", "lab"]);
    expect(made.stderr).toContain("no pipelines were written: this file was not written by `ci`");
    expect(existsSync(work.path("lab/.github"))).toBe(false);
  });

  it("takes an example from a cache of one's own, whose key it copies", async () => {
    const made = await work.run(["init", "own", "--cache", demo, "--trust", key, "--json"]);
    expect(made.status).toBe(0);
    const result = JSON.parse(made.stdout.trim().split("\n").at(-1) ?? "") as {
      readonly example?: { readonly name: string };
    };
    expect(result.example?.name).toBe("ring");
    expect(existsSync(work.path("own/demo"))).toBe(false);
    expect(readFileSync(work.path("own/keys/cache.pub"), "utf8")).toBe(readFileSync(key, "utf8"));
    const listed = await work.run(["list", "-C", "own"]);
    expect(listed.stdout).toMatch(/^ring +amd64/m);
    const explained = await work.run(["explain", "-C", "own", "ring", "mpich"]);
    expect(explained.stdout).toContain("mpich@4.0.2");
  });

  it("makes none, and says why, where the key signed nothing of the cache", async () => {
    const made = await work.run(["init", "lost", "--cache", demo, "--trust", await otherKey()]);
    expect(made.status).toBe(0);
    expect(made.stderr).toContain("no example is made");
    expect(made.stdout).toContain("spacktainers add NAME SPEC");
  });

  it.skipIf(terminalTrouble() !== undefined)(
    "asks on a terminal, and explains what it cannot read",
    async () => {
      const session = startOnTerminal([process.execPath, binary, "init", "asked"], {
        cwd: work.directory,
        env: { ...process.env, XDG_CACHE_HOME: work.cacheHome, NO_COLOR: "1" },
      });
      try {
        await session.until("Build cache with your packages");
        session.type("\r");
        await session.until("Base of the images");
        session.type("noble\r");
        await session.until("Architectures");
        session.type("sparc\r");
        await session.until("sparc is not an architecture");
        session.type("both\r");
        await session.until("Registry to publish to");
        session.type("ghcr.io/my-org\r");
        await session.until("builder and runtime images");
        session.type("n\r");
        await session.until("Pipelines: github, gitlab or none");
        session.type("github\r");
        expect(await session.ended()).toBe(0);
      } finally {
        session.stop();
      }
      const text = readFileSync(work.path("asked/spacktainers.yaml"), "utf8");
      expect(text).toContain("ubuntu: noble");
      expect(text).toContain('type: ghcr, url: ghcr.io/my-org, repository: "spack-{name}"');
      expect(readdirSync(work.path("asked/container_definitions")).sort()).toEqual(["amd64", "arm64"]);
      expect(existsSync(work.path("asked/builder"))).toBe(false);
      expect(existsSync(work.path("asked/.github/workflows"))).toBe(true);
      expect(existsSync(work.path("asked/.github/workflows"))).toBe(true);
    },
  );

  it.skipIf(terminalTrouble() !== undefined)("writes nothing when the answers end too early", async () => {
    const session = startOnTerminal([process.execPath, binary, "init", "left"], {
      cwd: work.directory,
      env: { ...process.env, XDG_CACHE_HOME: work.cacheHome, NO_COLOR: "1" },
    });
    try {
      await session.until("Build cache with your packages");
      session.type("\u0003");
      expect(await session.ended()).toBe(130);
    } finally {
      session.stop();
    }
    expect(existsSync(work.path("left"))).toBe(false);
  });
});

describe("add", () => {
  const add = (...args: readonly string[]) => work.run(["add", "-C", "added", ...args]);
  beforeAll(async () => {
    expect((await work.run(["init", "added"])).status).toBe(0);
  });

  it("writes a definition and says whether the caches have it", async () => {
    const added = await add("tools", "mpich", "ring@1:");
    expect(added.status).toBe(0);
    expect(added.stdout).toContain("the caches have it: 3 packages, with mpich@4.0.2/");
    expect(readFileSync(work.path("added/container_definitions/amd64/tools/spack.yaml"), "utf8")).toContain(
      '  specs:\n  - mpich\n  - "ring@1:"\n',
    );
    const lacking = await add("lacking", "hdf5", "+mpi", "--json");
    expect(lacking.status).toBe(0);
    expect(JSON.parse(lacking.stdout)).toMatchObject({
      specs: ["hdf5 +mpi"],
      caches: { state: "incomplete" },
    });
    expect((await work.run(["check", "-C", "added"])).stdout).toMatch(/0 errors/);
  });

  it("keeps pipelines up to date that were so, and says of others that they are not", async () => {
    const checked = (): ReturnType<typeof work.run> => work.run(["ci", "check", "-C", "piped"]);
    expect((await work.run(["init", "piped"])).status).toBe(0);
    const added = await work.run(["add", "-C", "piped", "tools", "mpich", "--json"]);
    expect(JSON.parse(added.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      pipelines: [".github/workflows/spacktainers.yml"],
    });
    expect((await checked()).status).toBe(0);
    const file = work.path("piped/.github/workflows/spacktainers.yml");
    expect(readFileSync(file, "utf8")).toContain("- tools\n");
    const older = readFileSync(file, "utf8").replace("- tools\n", "- other\n");
    writeFileSync(file, older);
    const more = await work.run(["add", "-C", "piped", "more", "mpich"]);
    expect(more.stderr).toContain("`spacktainers ci github` writes them");
    expect(readFileSync(file, "utf8")).toBe(older);
    expect((await checked()).status).toBe(3);
  });

  it("takes an architecture before the name", async () => {
    expect((await add("arm64/tools", "mpich")).stdout).toContain("the caches have it");
    expect(existsSync(work.path("added/container_definitions/arm64/tools/spack.yaml"))).toBe(true);
    expect((await add("arm64/tools2", "mpich", "--arch", "amd64")).status).toBe(2);
  });

  it("refuses bad specs with their column, bad names, and what is there", async () => {
    const bad = await add("bad", "mpich@@4", "--json");
    expect(bad.status).toBe(3);
    expect(JSON.parse(bad.stdout)).toMatchObject({
      errors: [{ code: "SPEC_SYNTAX", spec: "mpich@@4", column: 7 }],
    });
    expect((await add("bad", "mpich@@4")).stderr).toContain("at character 7");
    expect((await add("bad", "+mpi")).stderr).toContain("does not name a package");
    expect((await add("Bad Name", "mpich")).stderr).toContain("such as bad-name");
    expect(existsSync(work.path("added/container_definitions/amd64/bad"))).toBe(false);
    const definition = work.path("added/container_definitions/amd64/hello-mpi/spack.yaml");
    const before = readFileSync(definition, "utf8");
    const twin = await add("hello-mpi", "mpich");
    expect(twin.stderr).toContain("OUTPUT_EXISTS");
    expect(readFileSync(definition, "utf8")).toBe(before);
  });

  it("says what it cannot know, and does not fail", async () => {
    const unknown = await add("offline", "mpich", "--cache", "http://127.0.0.1:9/x", "--trust", key);
    expect(unknown.status).toBe(0);
    expect(unknown.stdout).toContain("whether the caches have it is not known");
  });

  it("wants a repository", async () => {
    mkdirSync(work.path("nowhere"));
    const ran = await work.run(["add", "-C", "nowhere", "x", "zlib"]);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toContain("to create one: `spacktainers init`");
  });
});

describe("a lone spack.yaml", () => {
  const options = ["--cache", demo, "--trust", key];
  beforeAll(() => {
    mkdirSync(work.path("My Solver"));
    chmodSync(work.path("My Solver"), 0o777);
    writeFileSync(work.path("My Solver/spack.yaml"), "spack:\n  specs: [ring, mpich]\n");
  });

  it("is checked, listed and planned without a repository, by its path or from its folder", async () => {
    const checked = await work.run(["check", "My Solver"]);
    expect(checked.stdout).toContain("1 file checked: 0 errors");
    expect((await work.run(["check", "-C", "My Solver"])).stdout).toContain("1 file checked: 0 errors");
    expect((await work.run(["list", "-C", "My Solver"])).stdout).toMatch(/^my-solver +amd64/m);
    const other = await work.run(["list", "-C", "My Solver", "--arch", "arm64"]);
    expect(other.stdout).toMatch(/^my-solver +arm64/m);
  });

  it.skipIf(trouble !== undefined)(
    `is built, run and locked: . or PATH/spack.yaml (${trouble ?? "Debian archive"})`,
    async () => {
      const built = await work.run(["build", "-C", "My Solver", ".", ...options], { uid });
      expect(built.stderr).not.toContain("error");
      expect(built.stdout).toContain("oci:dist/amd64/my-solver");
      const ran = await work.run(
        ["run", "-C", "My Solver", "--with", "namespace", ".", "--", "mpiexec", "-n", "2", "ring"],
        { uid },
      );
      expect(ran.stdout).toMatch(/2 ranks .*right/);
      const byPath = await work.run(["build", "My Solver/spack.yaml", ...options], { uid });
      expect(byPath.stdout).toMatch(/my-solver 1\.0\.0 amd64 {2}3 packages/);
      const digest = /sha256:[0-9a-f]{64}/;
      expect(digest.exec(byPath.stdout)?.[0]).toBe(digest.exec(built.stdout)?.[0]);
      const named = await work.run(["build", "-C", "My Solver", ...options], { uid });
      expect(named.stdout).toContain("up to date");
      const locked = await work.run(["lock", "-C", "My Solver", ".", ...options]);
      expect(locked.stdout).toContain("spack.lock");
    },
  );

  it("is told about trust and caches when they are left out", async () => {
    const untrusted = await work.run(["build", "-C", "My Solver", ".", "--cache", demo]);
    expect(untrusted.status).toBe(5);
    mkdirSync(work.path("fresh"));
    writeFileSync(work.path("fresh/spack.yaml"), "spack:\n  specs: [ring]\n");
    const without = await work.run(["build", "-C", "fresh", "."]);
    expect(without.stderr).toContain("--cache URL --trust KEYFILE");
    expect(without.status).not.toBe(0);
  });
});

describe("--help", () => {
  it("explains the verbs, with examples", () => {
    for (const verb of ["init", "add", "migrate"]) {
      const help = spawnSync(process.execPath, [binary, verb, "--help"], { encoding: "utf8" });
      expect(help.status).toBe(0);
      expect(help.stdout).toContain(`$ spacktainers ${verb}`);
    }
  });
});
