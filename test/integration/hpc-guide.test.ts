/**
 * Runs every `sh` and `console` example of docs/hpc.md where the programs that it needs are here. Names that a reader would replace are
 * replaced: the registry by one of this machine, the site `jed` by this machine's Slurm. An example that needs a file which another one of
 * the page writes runs that first, where nobody did.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble, demoRepository } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { type DemoSite, findApptainer, makeDemoSite } from "../support/demoSite.ts";
import { podmanTrouble } from "../support/podman.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { runnerTrouble } from "../support/runner.ts";
import { writeSarusStandIn } from "../support/sarusStandIn.ts";
import { type SlurmCluster, slurmTrouble, startSlurm } from "../support/slurm.ts";

const page = readFileSync(join(demoRepository, "docs/hpc.md"), "utf8");
const examples = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = ""], at) => {
  const line = page.slice(0, page.indexOf(text)).split("\n").length;
  return { line, text, name: `line ${line}: ${text.split("\n")[0]?.slice(0, 70)}`, at };
});

/** Files that an example writes. */
function written(text: string): readonly string[] {
  const named = [
    ...text.matchAll(/(?:-o|--force|# writes) (?:(?:oci|docker)-archive:)?([\w.-]+\.(?:sif|sbatch|tar))/g),
  ];
  return named.map(([, file = ""]) => file);
}

/** Files that an example reads, and the first example that writes each. */
function inputs(text: string): readonly { readonly file: string; readonly maker: string }[] {
  const own = written(text);
  // Jobs of the site find the image where the site says.
  const jobs = /--submit|sbatch --|--slurm/.test(text) ? ["hello-mpi.sif"] : [];
  const named = [...text.matchAll(/[\w.-]+\.(?:sif|sbatch|tar)\b/g)].map(([file]) => file);
  return [...new Set([...named, ...jobs])]
    .filter((file) => !own.includes(file))
    .map((file) => {
      const maker = examples.find((example) => written(example.text).includes(file))?.text;
      if (maker === undefined) throw new Error(`no example of the page writes ${file}`);
      return { file, maker };
    });
}

/** What an example, or one that it needs, needs that is not here, or undefined. */
function missing(text: string): string | undefined {
  for (const { maker } of inputs(text)) {
    const lacking = missing(maker);
    if (lacking !== undefined) return lacking;
  }
  return missingPrograms(text);
}

function missingPrograms(text: string): string | undefined {
  const apptainer = /apptainer|--site jed/.test(text) && !/job (?!hello-mpi)/.test(text);
  const slurm = /\bsrun\b|\bsbatch\b|--submit|--slurm/.test(text);
  return (
    (apptainer && findApptainer() === undefined ? "Apptainer is not here" : undefined) ??
    (/podman/.test(text) ? podmanTrouble() : undefined) ??
    (slurm ? slurmTrouble() : undefined) ??
    // It takes every runtime that is here.
    (/^spacktainers test/.test(text) && commandExists("podman") ? podmanTrouble() : undefined) ??
    (text.includes("hello.sif") && !(commandExists("mksquashfs") && commandExists("sqfs2tar"))
      ? "squashfs-tools or squashfs-tools-ng are not installed"
      : undefined)
  );
}

const trouble =
  runnerTrouble() ??
  debianTrouble() ??
  dockerRegistryTrouble() ??
  (commandExists("skopeo") ? undefined : "skopeo is not installed");

describe.skipIf(trouble !== undefined)(
  `the examples of docs/hpc.md${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let place: DemoSite;
    let registry: RealRegistry;
    let cluster: SlurmCluster | undefined;
    let env: NodeJS.ProcessEnv;

    beforeAll(async () => {
      place = await makeDemoSite();
      registry = await startDockerRegistry();
      if (slurmTrouble() === undefined) cluster = await startSlurm();
      mkdirSync(place.work.path("sarus"));
      writeSarusStandIn(place.work.path("sarus"), place.work.path("sarus-calls"));
      const layout = `oci:${place.work.path("dist/amd64/hello-mpi")}`;
      for (const tag of ["latest", "1.0.0"]) {
        const target = `docker://${registry.host}/my-org/spack-hello-mpi:${tag}`;
        const pushed = spawnSync("skopeo", ["copy", "-q", "--dest-tls-verify=false", layout, target], {
          encoding: "utf8",
          // A folder of its own, as a login session has one.
          env: { ...process.env, XDG_RUNTIME_DIR: place.work.directory },
        });
        if (pushed.status !== 0) throw new Error(pushed.stderr);
      }
      const configuration = place.work.path("spacktainers.yaml");
      writeFileSync(
        configuration,
        `${readFileSync(configuration, "utf8")}\nregistries:\n- {url: "${registry.host}/my-org", repository: "spack-{name}", tags: [latest]}\n`,
      );
      const registries = place.work.path("registries.conf");
      writeFileSync(registries, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
      place.site(
        "jed",
        `runtime: apptainer\nmpi: [pmi2]\ntarget: ${process.arch === "arm64" ? "aarch64" : "icelake"}\nimage: ${place.work.path("spack-{name}.sif")}\npartition: test\ntime: "00:05:00"\nprologue: ["export PATH=${place.environment.PATH}"]\n`,
      );
      env = {
        ...process.env,
        ...place.environment,
        ...cluster?.environment,
        CONTAINERS_REGISTRIES_CONF: registries,
        APPTAINER_NOHTTPS: "1",
      };
    });
    afterAll(async () => {
      cluster?.stop();
      await registry?.close();
      place?.dispose();
    });

    const run = (
      text: string,
    ): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
      spawnSync("bash", ["--norc", "-ec", text.replaceAll("ghcr.io", registry.host)], {
        cwd: place.work.directory,
        // Where it is not the subject it would only pass for a runtime that works.
        env: text.includes("sarus") ? { ...env, PATH: `${place.work.path("sarus")}:${env.PATH}` } : env,
        encoding: "utf8",
        timeout: 280_000,
      });

    /** Makes what an example reads. */
    const prepare = (text: string): void => {
      for (const { file, maker } of inputs(text)) {
        if (existsSync(place.work.path(file))) continue;
        prepare(maker);
        const { status, stdout, stderr } = run(maker);
        if (status !== 0) throw new Error(`${file} cannot be made: ${stdout}${stderr}`);
      }
    };

    it("are all found", () => {
      expect(examples.length).toBeGreaterThan(20);
      for (const program of ["apptainer", "podman", "sarus", "srun", "sbatch", "spacktainers"])
        expect(
          examples.some(({ text }) => text.includes(program)),
          program,
        ).toBe(true);
    });

    for (const { name, text } of examples) {
      const lacking = missing(text);
      it.skipIf(lacking !== undefined)(
        `${name}${lacking === undefined ? "" : ` (skipped: ${lacking})`}`,
        () => {
          prepare(text);
          if (inputs(text).some(({ file }) => file === "hello-mpi.sif"))
            run("cp hello-mpi.sif spack-hello-mpi.sif");
          const { status, stdout, stderr } = run(text);
          expect(status, stdout + stderr).toBe(0);
          expect(stderr).not.toMatch(/(^|\s)error {2}[A-Z]/m);
          if (/srun.* ring$/m.test(text) && !text.includes("sarus"))
            expect(stdout).toContain("4 ranks on 2 nodes");
          if (text.includes("--submit")) expect(stdout).toContain("4 ranks on 2 nodes");
          if (/mpiexec -n 2 ring/.test(text) && !text.includes("sarus"))
            expect(stdout).toContain("2 ranks on 1 node");
          if (/^spacktainers (test|doctor jed)/.test(text)) expect(stdout).toMatch(/passed|fine/);
        },
      );
    }

    const shown = [...page.matchAll(/^```console\n\$ (.*?)\n(.*?)^```$/gms)];
    for (const [, command = "", output = ""] of shown) {
      const lacking = missing(command);
      it.skipIf(lacking !== undefined)(
        `${command}${lacking === undefined ? "" : ` (skipped: ${lacking})`}`,
        () => {
          const { status, stdout } = run(command);
          expect(status).toBe(output.includes("ERROR") ? 1 : 0);
          for (const line of output.trimEnd().split("\n")) {
            // What differs from one machine to the next.
            const pattern = line
              .replaceAll(/[.*+?^$()[\]{}|\\]/g, "\\$&")
              .replaceAll("ghcr\\.io", registry.host)
              .replace("/usr/bin/", "\\S*/")
              .replace("/home/me", "\\S*")
              // The registry of the test is on this machine, and speaks plain HTTP.
              .replace("apptainer pull ", "apptainer pull (?:--no-https )?")
              .replaceAll("…", ".*");
            // The registry of this machine speaks plain HTTP.
            expect(stdout.replaceAll(" --no-https", "")).toMatch(new RegExp(`^${pattern}$`, "m"));
          }
        },
      );
    }
  },
);
