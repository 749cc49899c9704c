import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";
import { emulatorTrouble, withEmulator } from "../support/emulation.ts";

const trouble = debianTrouble();
const lacking = emulatorTrouble();
const work = makeWorkplace();
afterAll(() => work.remove());

interface Result {
  readonly digest: string;
  readonly version: string;
  readonly upToDate: boolean;
  readonly reused: number;
  readonly packages: readonly { readonly name: string }[];
}

function resultOf(stdout: string, architecture: "amd64" | "arm64" = "amd64"): Result {
  const results = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Result & { readonly type: string; readonly arch?: string });
  const found = results.find(({ type, arch }) => type === "result" && arch === architecture);
  if (found === undefined) throw new Error(`there is no result for ${architecture}`);
  return found;
}

describe.skipIf(trouble !== undefined)(
  `the demo, from definition to running ring (${trouble ?? "Debian archive"})`,
  () => {
    let first: Result;
    let other: Result;

    beforeAll(async () => {
      for (const item of ["spacktainers.yaml", "demo", "container_definitions"])
        cpSync(join(demoRepository, item), work.path(item), { recursive: true });
      const built = await work.run(["build", "hello-mpi", "--json"]);
      expect(built.stdout + built.stderr).not.toContain('"error"');
      expect(built.status).toBe(0);
      first = resultOf(built.stdout, "amd64");
      other = resultOf(built.stdout, "arm64");
    });

    it("makes the image for the other architecture as well, of packages and a base for it", async () => {
      expect(other.version).toBe("1.0.0");
      expect(other.packages.map(({ name }) => name)).toEqual(first.packages.map(({ name }) => name));
      expect(other.digest).not.toBe(first.digest);
      const root = work.path("rootfs-arm64");
      const built = await work.run(["build", "arm64/hello-mpi", "--output", `rootfs:${root}`]);
      expect(built.status, built.stderr).toBe(0);
      const views = join(root, "opt/._view");
      const ring = readlinkSync(join(views, readdirSync(views)[0] ?? "", "bin/ring"));
      // The number of the architecture in the header of programs.
      for (const path of ["usr/bin/bash", ring])
        expect(readFileSync(join(root, path)).readUInt16LE(18)).toBe(183);
    });

    it("writes one image, for this machine, where both would be in one place", async () => {
      const one = await work.run(["build", "hello-mpi", "-o", "oci-archive:{name}.tar", "--json"]);
      const results = one.stdout.split("\n").filter((line) => line.includes('"type":"result"'));
      expect(results, one.stderr).toHaveLength(1);
      expect(results[0]).toContain(`"arch":"${process.arch === "arm64" ? "arm64" : "amd64"}"`);
      const both = await work.run(["build", "hello-mpi", "-o", "oci-archive:{name}-{arch}.tar"]);
      expect(both.status, both.stderr).toBe(0);
      for (const arch of ["amd64", "arm64"])
        expect(existsSync(work.path(`hello-mpi-${arch}.tar`))).toBe(true);
      const several = await work.run(["build", "-o", "oci-archive:all.tar"]);
      expect(several.stderr).toContain("is the same place for");
      expect(several.status).toBe(2);
    });

    it.skipIf(lacking !== undefined)(
      `runs the image for the other architecture in an emulator${lacking === undefined ? "" : ` (skipped: ${lacking})`}`,
      () => {
        const [program = "", ...args] = withEmulator("F");
        const words = [
          "run",
          "--arch",
          "arm64",
          "--with",
          "namespace",
          "hello-mpi",
          "--",
          "mpiexec",
          "-n",
          "2",
          "ring",
          "50",
        ];
        const ran = spawnSync(program, [...args, process.execPath, binary, ...words], {
          cwd: work.directory,
          env: { ...process.env, XDG_CACHE_HOME: work.cacheHome },
          encoding: "utf8",
        });
        expect(ran.stdout, ran.stderr).toMatch(/^ring 1\.0\.0: 2 ranks .*right/m);
        expect(ran.status).toBe(0);
      },
    );

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
        ...["build", "amd64/hello-mpi", "--output", `oci-archive:${work.path("hello.oci.tar")}`],
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
      const built = await work.run(["build", "amd64/hello-mpi", "--output", `rootfs:${work.path("demo")}`]);
      expect(built.stderr).toContain("OUTPUT_EXISTS");
      expect(built.status).toBe(1);
      expect(existsSync(work.path("demo/cache.pub"))).toBe(true);
    });
  },
);
