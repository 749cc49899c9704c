/** Programs of a container as commands of a cluster: by Apptainer, Podman and a directory's root, on a login node and under a real `srun`. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { type DemoSite, findApptainer, makeDemoSite } from "../support/demoSite.ts";
import { makeOrdinaryUser, ordinaryUserTrouble } from "../support/ordinaryUser.ts";
import { podmanTrouble } from "../support/podman.ts";
import { runnerTrouble } from "../support/runner.ts";
import { onCluster, type SlurmCluster, slurmTrouble, startSlurm } from "../support/slurm.ts";

const trouble = debianTrouble();
const apptainerTrouble = findApptainer() === undefined ? "Apptainer is not here" : undefined;
const runtimes = [
  { runtime: "apptainer", missing: apptainerTrouble },
  { runtime: "native", missing: runnerTrouble() },
  { runtime: "podman", missing: podmanTrouble() },
] as const;
const because = (missing: string | undefined): string =>
  missing === undefined ? "" : ` (skipped: ${missing})`;

describe.skipIf(trouble !== undefined)(`shims${because(trouble)}`, () => {
  let place: DemoSite;
  let cluster: SlurmCluster | undefined;
  const path = (...names: readonly string[]): string => place.work.path(...names);

  /** Without Node on the search path: a shim has none to start. */
  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    ...place.environment,
    PATH: [
      ...(place.apptainer === undefined ? [] : [join(place.apptainer, "..")]),
      "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
    ].join(":"),
  });
  const shell = (script: string, env: NodeJS.ProcessEnv = {}, input = "") =>
    spawnSync("sh", ["-c", script], {
      cwd: path("work dir"),
      env: { ...environment(), ...env },
      encoding: "utf8",
      input,
      timeout: 60_000,
    });

  const imageFor = (runtime: string): string =>
    runtime === "podman" ? "localhost/hello:1" : runtime === "apptainer" ? path("hello.sif") : path("root");

  beforeAll(async () => {
    place = await makeDemoSite();
    mkdirSync(path("work dir"));
    if (slurmTrouble() === undefined) cluster = await startSlurm();
    const wanted = [
      ...(apptainerTrouble === undefined && commandExists("mksquashfs") ? ["-o", "sif:hello.sif"] : []),
      ...["-o", `rootfs:${path("root")}`, "-o", "oci-archive:hello.tar"],
    ];
    const built = await place.work.run(["build", "hello-mpi", ...wanted]);
    if (built.status !== 0) throw new Error(built.stderr);
  });
  afterAll(() => {
    cluster?.stop();
    place?.dispose();
  });

  for (const { runtime, missing } of runtimes)
    describe.skipIf(missing !== undefined)(`by ${runtime}${because(missing)}`, () => {
      let folder: string;
      beforeAll(async () => {
        folder = path("apps", runtime);
        if (runtime === "podman") {
          const loaded = spawnSync("podman", ["pull", "-q", `oci-archive:${path("hello.tar")}`], {
            env: environment(),
            encoding: "utf8",
            timeout: 120_000,
          });
          if (loaded.status !== 0) throw new Error(loaded.stderr);
          spawnSync("podman", ["tag", loaded.stdout.trim(), "localhost/hello:1"], {
            env: environment(),
            timeout: 60_000,
          });
        }
        const image = imageFor(runtime);
        const made = await place.work.run([
          "shims",
          "hello-mpi",
          "--with",
          runtime,
          "--image",
          image,
          "--into",
          folder,
          "--lmod",
          "--bind",
          `${path("demo")}:/shown:ro`,
        ]);
        expect(made.status, made.stderr).toBe(0);
        expect(made.stdout).toMatch(/^\d+ programs of hello-mpi 1\.0\.0 in apps\/\w+\/bin$/m);
      });

      it("runs a program with its words, input, status and variables", () => {
        const { stdout, stderr, status } = shell(`PATH=${folder}/bin:$PATH; ring --version`);
        expect(stdout, stderr).toContain("ring 1.0.0");
        expect(status).toBe(0);
        // What a program gets is seen by one that says it: the wrapper of another name for the base's shell.
        const launcher = join(folder, "libexec/hello-mpi");
        const script =
          'cat; printf "<%s>" "$@"; pwd; echo "$MINE $HDF5_USE_FILE_LOCKING"; ls /shown | head -1; exit 7';
        const told = spawnSync(launcher, ["sh", "-c", script, "sh", "a b", "", "c'd", "$HOME", "*"], {
          cwd: path("work dir"),
          env: { ...environment(), ...(runtime === "podman" ? { OMP_X: "1" } : { MINE: "set here" }) },
          encoding: "utf8",
          input: "typed\n",
          timeout: 60_000,
        });
        expect(told.stdout, told.stderr).toBe(
          `typed\n<a b><><c'd><$HOME><*>${path("work dir")}\n${runtime === "podman" ? "" : "set here"} FALSE\n${readdirSync(path("demo")).sort()[0]}\n`,
        );
        expect(told.status).toBe(7);
      });

      it("writes where it is called, and nowhere else", () => {
        const launcher = join(folder, "libexec/hello-mpi");
        const wrote = shell(`'${launcher}' sh -c 'echo here >out-${runtime}; echo x >/shown/y'`);
        expect(readFileSync(path("work dir", `out-${runtime}`), "utf8")).toBe("here\n");
        expect(existsSync(path("demo/y"))).toBe(false);
        expect(wrote.status).not.toBe(0);
        expect(shell(`cd /usr && '${launcher}' pwd`).stdout).toBe("/\n");
      });

      it.skipIf(slurmTrouble() !== undefined)(
        `forms one world under srun${because(slurmTrouble())}`,
        async () => {
          if (cluster === undefined) throw new Error("there is no cluster");
          const ran = await onCluster(
            cluster,
            ["srun", "--mpi=pmi2", "-N2", "-n4", join(folder, "bin/ring"), "10"],
            {
              env: environment(),
              cwd: path("work dir"),
            },
          );
          expect(ran.stdout, ran.stderr).toMatch(
            /^ring 1\.0\.0: 4 ranks on 2 nodes, token 40 after 40 hops: right/,
          );
          expect(ran.status).toBe(0);
        },
      );

      it("says that the image is not there", () => {
        const launcher = join(folder, "libexec/hello-mpi");
        const other = path(`gone-${runtime}`);
        writeFileSync(
          other,
          readFileSync(launcher, "utf8").replaceAll(/hello\.sif|\/root\b(?!\.)|hello:1/g, (found) =>
            found === "hello:1" ? "none:1" : "/none",
          ),
        );
        const told = shell(`sh '${other}' ring`);
        expect(told.stderr).toMatch(/^ring: the image of the container hello-mpi is not there: /);
        expect(told.status).toBe(127);
      });

      it("is the same when it is written again, and follows the programs that are chosen", async () => {
        const state = (): unknown =>
          readdirSync(folder, { recursive: true, encoding: "utf8" })
            .filter((name) => statSync(join(folder, name)).isFile())
            .sort()
            .map((name) => [
              name,
              readFileSync(join(folder, name), "utf8"),
              statSync(join(folder, name)).mode,
            ]);
        const before = state();
        const image = imageFor(runtime);
        const words = ["shims", "hello-mpi", "--with", runtime, "--image", image, "--into", folder, "--lmod"];
        const again = await place.work.run([...words, "--bind", `${path("demo")}:/shown:ro`]);
        expect(again.status, again.stderr).toBe(0);
        expect(state()).toEqual(before);
        const one = await place.work.run([...words, "--program", "ring"]);
        expect(one.status, one.stderr).toBe(0);
        expect(readdirSync(join(folder, "bin"))).toEqual(["ring"]);
      });
    });

  const users = ordinaryUserTrouble() ?? runnerTrouble();
  it.skipIf(users !== undefined)(`is for ordinary users, who keep their number${because(users)}`, () => {
    const user = makeOrdinaryUser();
    try {
      const launcher = join(path("apps/native"), "libexec/hello-mpi");
      const [program = "", ...words] = user.become;
      const script = "id -u; echo x >/opt/written && cat /opt/written";
      const told = spawnSync(program, [...words, launcher, "sh", "-c", script], {
        cwd: path("work dir"),
        env: { ...user.environment, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        encoding: "utf8",
        timeout: 60_000,
      });
      // The user is not the owner of the image's directories: they are as closed as on the machine.
      expect(told.stdout.split("\n")[0], told.stderr).toBe(String(user.uid));
      expect(existsSync(path("root/opt/written"))).toBe(false);
    } finally {
      user.remove();
    }
  });

  it("leaves files of others alone, and writes nothing then", async () => {
    const folder = path("theirs");
    mkdirSync(join(folder, "bin"), { recursive: true });
    writeFileSync(join(folder, "bin/ring"), "#!/bin/sh\necho mine\n");
    const refused = await place.work.run([
      "shims",
      "hello-mpi",
      "--with",
      "podman",
      "--image",
      "localhost/x:1",
      "--into",
      folder,
    ]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("OUTPUT_EXISTS");
    expect(refused.stderr).toContain("theirs/bin/ring");
    expect(readFileSync(join(folder, "bin/ring"), "utf8")).toContain("echo mine");
    expect(readdirSync(folder)).toEqual(["bin"]);
    expect(readdirSync(join(folder, "bin"))).toEqual(["ring"]);
  });

  it("wants no image that every start would convert", async () => {
    const refused = await place.work.run([
      "shims",
      "hello-mpi",
      "--with",
      "apptainer",
      "--image",
      "docker://x/y:1",
      "--into",
      "x",
    ]);
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining("spacktainers sif")]);
    expect(existsSync(path("x"))).toBe(false);
  });

  const modules = commandExists("tclsh") ? undefined : "tclsh is not installed";
  it.skipIf(modules !== undefined)(`has modules that Tcl and Lua can read${because(modules)}`, async () => {
    const folder = path("mod $dir");
    rmSync(folder, { recursive: true, force: true });
    const made = await place.work.run([
      "shims",
      "hello-mpi",
      "--with",
      "podman",
      "--image",
      "localhost/x:1",
      "--into",
      folder,
      "--lmod",
    ]);
    expect(made.status, made.stderr).toBe(0);
    const file = join(folder, "modulefiles/hello-mpi/1.0.0");
    const words = ["module-whatis", "conflict", "prepend-path", "setenv", "module"];
    const script = `${words.map((word) => `proc ${word} {args} {puts "${word}: $args"}`).join("\n")}\nsource [lindex $argv 0]\n`;
    writeFileSync(path("read.tcl"), script);
    const tcl = spawnSync("tclsh", [path("read.tcl"), file], { encoding: "utf8", timeout: 30_000 });
    expect(tcl.stderr).toBe("");
    expect(tcl.stdout.split("\n")).toEqual(
      expect.arrayContaining([`prepend-path: PATH {${folder}/bin}`, "setenv: SLURM_MPI_TYPE pmi2"]),
    );
    expect(readFileSync(`${file}.lua`, "utf8")).toContain(`prepend_path("PATH", "${folder}/bin")\n`);
  });
});
