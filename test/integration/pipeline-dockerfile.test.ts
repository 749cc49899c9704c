/**
 * Dockerfiles that we write, carried out: Buildah builds them, with a real Spack that installs from the demonstration's cache.
 *
 * What `FROM docker.io/library/debian:bookworm` stands for is made by mmdebstrap from the machine's own apt sources, and kept
 * in a storage of the test's own. No compiler runs: the packages are in the cache.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { realSpack } from "../support/realSpack.ts";

const spackRoot = realSpack?.checkout;
const recipes = realSpack?.recipes ?? [];

function troubleHere(): string | undefined {
  if (process.getuid?.() !== 0) return "building images with Buildah's chroot isolation takes root";
  for (const program of ["buildah", "mmdebstrap"])
    if (!commandExists(program)) return `${program} is not installed`;
  if (spackRoot === undefined) return "SPACKTAINERS_TEST_SPACK names no checkout of Spack";
  if (!existsSync(join(spackRoot, "bin/spack"))) return `there is no bin/spack in ${spackRoot}`;
  if (!recipes.some((path) => basename(path) === "builtin"))
    return "SPACKTAINERS_TEST_SPACK_REPOS names no folder with Spack's own recipes (…/spack_repo/builtin)";
  return undefined;
}

/** Of Spack's thousands of recipes those that the lock names and those of compilers that it looks for. */
const needed = new Set(["compiler_wrapper", "gcc", "gcc_runtime", "glibc", "gmake", "llvm", "mpich", "musl"]);

const trouble = troubleHere();

describe.skipIf(trouble !== undefined)(
  `a Dockerfile that Buildah builds${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let work: Workplace;
    const root = (name: string): string => work.path(`storage/${name}`);

    function run(program: string, args: readonly string[]): string {
      const { status, stdout, stderr } = spawnSync(program, args, {
        cwd: work.directory,
        encoding: "utf8",
        maxBuffer: 2 ** 26,
      });
      expect(status, `${program} ${args.join(" ")}\n${stdout.slice(-4000)}${stderr.slice(-4000)}`).toBe(0);
      return stdout;
    }
    function buildah(...args: readonly string[]): string {
      const storage = ["--root", root("root"), "--runroot", root("run"), "--storage-driver", "vfs"];
      return run("buildah", [...storage, ...args]).trim();
    }
    const isolated = ["--isolation", "chroot"];

    beforeAll(() => {
      work = makeWorkplace();
      makeDemoRepository(work);
      cpSync(spackRoot ?? "", work.path("spack"), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => ![".git", "__pycache__"].includes(basename(path)),
      });
      // The folder above a repository is a part of the names of its Python modules.
      const repos = recipes.map((path, index) => {
        const inside = join(basename(dirname(path)), basename(path));
        cpSync(path, work.path(`recipes/${index}`, inside), {
          recursive: true,
          filter: (from) => basename(dirname(from)) !== "packages" || needed.has(basename(from)),
        });
        return `{url: recipes/${index}, path: ${inside}}`;
      });
      cpSync(join(import.meta.dirname, "../../demo/recipes"), work.path("recipes/demo"), { recursive: true });
      repos.push("{url: recipes/demo, path: spack_repo/spacktainers_demo}");
      writeFileSync(
        work.path("spacktainers.yaml"),
        `caches:\n- {url: cache, trust: [cache.pub]}\nbase: {debian: bookworm}\nspack:\n  url: spack\n  repos: [${repos.join(", ")}]\n`,
      );
      mkdirSync(work.path("storage"));
      run("mmdebstrap", ["--variant=apt", "bookworm", work.path("storage/debian.tar")]);
      const made = buildah("from", "scratch");
      buildah("add", made, work.path("storage/debian.tar"), "/");
      buildah("commit", "--quiet", "--rm", made, "docker.io/library/debian:bookworm");
    }, 600_000);
    afterAll(() => work?.remove());

    it("has the packages that our own image has, and they run", async () => {
      for (const args of [
        ["lock", "hello-mpi"],
        ["dockerfile", "hello-mpi", "--output", "Dockerfile"],
        ["build"],
      ]) {
        const done = await work.run(["-q", ...args]);
        expect(done.status, done.stderr).toBe(0);
      }
      const file = ["--file", "Dockerfile", "--tag", "hello-mpi"];
      buildah("build", ...isolated, "--pull=never", "--layers=false", ...file, ".");
      const config = JSON.parse(buildah("inspect", "--type", "image", "hello-mpi")).OCIv1.config;
      expect(config).toMatchObject({
        Entrypoint: ["/bin/bash", "--rcfile", "/etc/profile", "-l", "-c", "$*", "--"],
        Cmd: ["/bin/bash"],
      });
      const made = buildah("from", "--pull=never", "hello-mpi");
      // MPI looks up the name of its host.
      const container = [...isolated, "--hostname", "localhost", made, "--"];
      const inside = (command: string): string => buildah("run", ...container, ...config.Entrypoint, command);
      const script = (text: string): string => buildah("run", ...container, "/bin/bash", "-lc", text);
      expect(inside("mpiexec -n 2 ring 10")).toContain("2 ranks");

      const locked = JSON.parse(
        readFileSync(work.path("container_definitions/amd64/hello-mpi/spacktainers.lock"), "utf8"),
      );
      const hashes = locked.packages.map(({ hash }: { hash: string }) => hash).sort();
      const installed = script(
        "find /opt/software -mindepth 1 -name '*-????????????????????????????????' -type d",
      ).split("\n");
      expect(installed.map((path) => path.slice(path.lastIndexOf("-") + 1)).sort()).toEqual(hashes);
      // In the same places as in our own image.
      const bill = JSON.parse((await work.run(["sbom", "hello-mpi", "--format", "cyclonedx"])).stdout);
      const prefixes = bill.components.flatMap(
        ({ properties }: { properties: readonly { name: string; value: string }[] }) =>
          properties.flatMap(({ name, value }) => (name === "spacktainers:prefix" ? [value] : [])),
      );
      expect(installed.sort()).toEqual(prefixes.sort());
      // The view is a link, not a second copy; nothing of what built it is there.
      expect(script("readlink /opt/view")).toMatch(/^(?:\/opt\/)?\._view\//);
      expect(script("readlink -f /opt/view/bin/ring")).toMatch(/^\/opt\/software\/.*\/bin\/ring$/);
      expect(script("ls -d /opt/*").split("\n")).toEqual(
        ["/opt/software", "/opt/spack-environment", "/opt/view"].sort(),
      );
      expect(script("command -v gcc spack python3 || echo none")).toBe("none");
      expect(script("ldconfig -p")).toContain("/opt/view/lib/libmpi.so");
      // Without a login shell programs are found, too.
      expect(buildah("run", ...container, "env", "ring", "--version")).toContain("1.0.0");
      const profile = script("cat /etc/profile.d/z10_spack_environment.sh");
      expect(profile).not.toMatch(/\/opt\/spack\/|SPACK_|despacktivate/);
      expect(profile).toContain("/.singularity.d/libs");
      expect(script("LD_LIBRARY_PATH=/x; . /etc/profile; echo $LD_LIBRARY_PATH")).toBe(
        "/x:/.singularity.d/libs",
      );
      buildah("rm", made);
    }, 1_800_000);
  },
);
