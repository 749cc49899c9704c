import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";

const trouble = debianTrouble();
const work = makeWorkplace();
afterAll(() => work.remove());

interface Result {
  readonly digest: string;
  readonly version: string;
  readonly upToDate: boolean;
  readonly reused: number;
  readonly packages: readonly { readonly name: string }[];
}

function resultOf(stdout: string): Result {
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as Result;
}

describe.skipIf(trouble !== undefined)(
  `the demo, from definition to running ring (${trouble ?? "Debian archive"})`,
  () => {
    let first: Result;

    beforeAll(async () => {
      for (const item of ["spacktainers.yaml", "demo", "container_definitions"])
        cpSync(join(demoRepository, item), work.path(item), { recursive: true });
      const built = await work.run(["build", "hello-mpi", "--json"]);
      expect(built.stdout + built.stderr).not.toContain('"error"');
      expect(built.status).toBe(0);
      first = resultOf(built.stdout);
    });

    it("names the version by the first spec and holds only what is needed to run", () => {
      expect(first.version).toBe("1.0.0");
      const names = first.packages.map(({ name }) => name);
      expect(names).toContain("mpich");
      expect(names).not.toContain("compiler-wrapper");
      expect(names).not.toContain("gcc");
    });

    it("does nothing the second time", async () => {
      const again = resultOf((await work.run(["build", "hello-mpi", "--json"])).stdout);
      expect(again).toMatchObject({ upToDate: true, digest: first.digest });
    });

    it("gives the same digest with one thread, another cache home and another place", async () => {
      const other = makeWorkplace();
      try {
        for (const item of ["spacktainers.yaml", "demo", "container_definitions"])
          cpSync(join(demoRepository, item), other.path(item), { recursive: true });
        const built = resultOf((await other.run(["build", "hello-mpi", "--jobs", "1", "--json"])).stdout);
        expect(built.digest).toBe(first.digest);
        expect(built.reused).toBe(0);
      } finally {
        other.remove();
      }
    });

    it("runs MPI ranks in our own runner", async () => {
      const ran = await work.run([
        "run",
        "--with",
        "namespace",
        "hello-mpi",
        "--",
        "mpiexec",
        "-n",
        "2",
        "ring",
      ]);
      expect(ran.stderr).not.toContain("error");
      expect(ran.stdout).toMatch(/^ring 1\.0\.0: 2 ranks .*right/m);
      expect(ran.status).toBe(0);
    });

    it("passes exit status, environment, arguments and directories through", async () => {
      const script = 'printf "%s|" "$GREETING" "$@"; pwd; exit 7';
      const ran = await work.run([
        ...["run", "--with", "namespace", "--env", "GREETING=hello world", "--workdir", "/usr", "hello-mpi"],
        ...["--", "bash", "-c", script, "bash", "a b", "", "c'd"],
      ]);
      expect(ran.stdout).toBe("hello world|a b||c'd|/usr\n");
      expect(ran.status).toBe(7);
    });

    it("keeps the image contract", async () => {
      const inside = async (...command: string[]): Promise<string> =>
        (await work.run(["run", "--with", "namespace", "hello-mpi", "--", ...command])).stdout;
      expect(await inside("/sbin/ldconfig", "-p")).toMatch(
        /libmpi\.so\.12 .*=> \/opt\/view\/lib\/libmpi\.so\.12/,
      );
      expect(await inside("readlink", "/opt/view")).toMatch(/^\._view\//);
      expect(await inside("cat", "/opt/spack-environment/spack.yaml")).toBe(
        readFileSync(work.path("container_definitions/amd64/hello-mpi/spack.yaml"), "utf8"),
      );
      expect(JSON.parse(await inside("cat", "/opt/spack-environment/spack.lock"))).toHaveProperty(
        "concrete_specs",
      );
      expect(await inside("cat", "/etc/profile.d/z10_spack_environment.sh")).toContain("/opt/view");
      const script = 'LD_LIBRARY_PATH=/x; . /etc/profile.d/z10_spack_environment.sh; echo "$LD_LIBRARY_PATH"';
      expect(await inside("bash", "-c", script)).toContain("/.singularity.d/libs");
    });

    it("is accepted by umoci and skopeo where they are installed", async (context) => {
      const layout = work.path("dist/amd64/hello-mpi");
      try {
        execFileSync("skopeo", ["--version"], { stdio: "ignore" });
      } catch {
        context.skip("skopeo is not installed");
      }
      const inspected = JSON.parse(
        execFileSync("skopeo", ["inspect", `oci:${layout}`], { encoding: "utf8" }),
      ) as {
        Digest: string;
      };
      expect(inspected.Digest).toBe(first.digest);
    });

    it("writes every kind of output, each with the same files", async () => {
      const built = await work.run([
        ...["build", "hello-mpi", "--output", `oci-archive:${work.path("hello.oci.tar")}`],
        ...[
          "--output",
          `docker-archive:${work.path("hello.docker.tar")}`,
          "--output",
          `rootfs:${work.path("rootfs")}`,
        ],
      ]);
      expect(built.stderr).not.toContain("error");
      expect(built.status).toBe(0);
      for (const name of ["hello.oci.tar", "hello.docker.tar"])
        expect(existsSync(work.path(name))).toBe(true);
      expect(existsSync(work.path("rootfs/etc/ld.so.cache"))).toBe(true);
      // The view links to the place the packages have inside.
      expect(readlinkSync(join(realpathSync(work.path("rootfs/opt/view")), "bin/ring"))).toMatch(
        /^\/opt\/software\//,
      );
    });

    it("refuses to overwrite what is not its own", async () => {
      const built = await work.run(["build", "hello-mpi", "--output", `rootfs:${work.path("demo")}`]);
      expect(built.stderr).toContain("OUTPUT_EXISTS");
      expect(built.status).toBe(1);
      expect(existsSync(work.path("demo/cache.pub"))).toBe(true);
    });
  },
);
