/** `doctor` and `job` on one image in every form it can have: what they find is the same. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { type DemoSite, findApptainer, makeDemoSite } from "../support/demoSite.ts";
import { hostArchitecture } from "../support/hostImage.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";

const trouble =
  debianTrouble() ??
  dockerRegistryTrouble("htpasswd") ??
  (commandExists("skopeo") ? undefined : "skopeo is not installed") ??
  (commandExists("sqfs2tar") ? undefined : "sqfs2tar is not installed") ??
  (commandExists("mksquashfs") ? undefined : "mksquashfs is not installed");
const noApptainer = findApptainer() === undefined ? " (skipped: Apptainer is not here)" : "";

interface Found {
  readonly severity: string;
  readonly check: string;
  readonly message: string;
  readonly evidence: readonly string[];
}

describe.skipIf(trouble !== undefined)(
  `an image in every form${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let place: DemoSite;
    let registry: RealRegistry;
    let configuration: string;
    const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
      place.work.run(args, {
        env: { ...place.environment, FORMS_USER: "me", FORMS_PASSWORD: "s3cret", ...env },
      });
    const forget = (): void =>
      rmSync(join(place.work.cacheHome, "spacktainers/facts"), { recursive: true, force: true });
    const layout = (): string => place.work.path("dist", hostArchitecture, "hello-mpi");

    /** What is found, without where it was read. */
    const findings = async (form: string, env: NodeJS.ProcessEnv = {}): Promise<readonly Found[]> => {
      const result = await run(["doctor", "cray", form, "--host-mpi", "--json"], env);
      const last = jsonLines(result).at(-1) as {
        readonly examinations?: readonly {
          readonly image: string | undefined;
          readonly findings: readonly Found[];
        }[];
      };
      expect(last.examinations, result.stdout + result.stderr).toBeDefined();
      const about = last.examinations?.find(({ image }) => image !== undefined);
      return about?.findings ?? [];
    };
    const withoutImage = (found: readonly Found[]) => found.filter(({ check }) => check !== "image");

    let expected: readonly Found[];
    beforeAll(async () => {
      place = await makeDemoSite();
      registry = await startDockerRegistry({ users: { me: "s3cret" } });
      const done = (program: string, args: readonly string[]): void => {
        const { status, stdout, stderr } = spawnSync(program, args, {
          cwd: place.work.directory,
          env: { ...process.env, ...place.environment },
          encoding: "utf8",
        });
        if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stdout}${stderr}`);
      };
      done("spacktainers", [
        "build",
        "hello-mpi",
        ...["--arch", process.arch === "arm64" ? "arm64" : "amd64"],
        "-o",
        "oci-archive:hello.tar",
        "-o",
        "docker-archive:docker.tar",
      ]);
      done("spacktainers", ["sif", "hello-mpi", "-o", "ours.sif"]);
      done("gzip", ["-k", "hello.tar"]);
      done("skopeo", [
        ...["copy", "-q", "--dest-tls-verify=false", "--dest-creds=me:s3cret", `oci:${layout()}`],
        `docker://${registry.host}/my-org/spack-hello-mpi:latest`,
      ]);
      configuration = readFileSync(place.work.path("spacktainers.yaml"), "utf8");
      writeFileSync(
        place.work.path("spacktainers.yaml"),
        `${configuration}\nregistries:\n- {url: "${registry.host}/my-org", repository: "spack-{name}", tags: [latest], username: $FORMS_USER, password: $FORMS_PASSWORD}\n`,
      );
      const pushed = await run([
        "sif",
        "push",
        "ours.sif",
        `oras://${registry.host}/my-org/spack-hello-mpi:sif`,
      ]);
      if (pushed.status !== 0) throw new Error(pushed.stderr);
      const apptainer = findApptainer();
      if (apptainer !== undefined) {
        done(apptainer, ["build", "theirs.sif", "oci-archive:hello.tar"]);
        // Nothing but its own scripts says then what its variables are.
        const listed = await run(["sif", "list", "theirs.sif", "--json"]);
        const { objects } = jsonLines(listed).at(-1) as {
          readonly objects: readonly { readonly id: number; readonly use?: string }[];
        };
        const partition = objects.find(({ use }) => use === "primary system")?.id;
        done("spacktainers", ["sif", "dump", "theirs.sif", String(partition), "-o", "theirs.sqfs"]);
        mkdirSync(place.work.path("sandbox"));
        done("bash", [
          "-c",
          "set -o pipefail; sqfs2tar theirs.sqfs 2>/dev/null | tar -x --no-same-owner -C sandbox",
        ]);
      }
      place.site(
        "cray",
        'runtime: sarus\nmpi: [pmi2]\nreplace-mpi: {abi: "12.0.0", versions: ":3.4", not-bundled: [libfabric]}\ntarget: zen2\nglibc: "2.31"\n',
      );
      place.site("near", "runtime: apptainer\nmpi: [pmi2]\n");
      expected = await findings("hello-mpi");
    });
    afterAll(async () => {
      await registry?.close();
      place?.dispose();
    });

    it("has findings of every kind to compare", () => {
      expect(expected.length).toBeGreaterThan(5);
      expect(new Set(expected.map(({ severity }) => severity)).size).toBeGreaterThan(1);
      for (const check of ["libc", "mpi-abi", "mpi-version", "loader-cache"])
        expect(expected.map((one) => one.check)).toContain(check);
    });

    it.each([
      ["a layout", () => `dist/${hostArchitecture}/hello-mpi`],
      ["oci:", () => `oci:${layout()}`],
      ["oci-archive:", () => "oci-archive:hello.tar"],
      ["a compressed archive", () => "oci-archive:hello.tar.gz"],
      ["docker-archive:", () => "docker-archive:docker.tar"],
      ["a SIF file", () => "ours.sif"],
      ["docker://", () => `docker://${registry.host}/my-org/spack-hello-mpi:latest`],
      ["a name in a registry", () => `${registry.host}/my-org/spack-hello-mpi:latest`],
      ["oras://", () => `oras://${registry.host}/my-org/spack-hello-mpi:sif`],
    ])("%s", async (_, form) => {
      forget();
      expect(withoutImage(await findings(form()))).toEqual(expected);
    });

    it.skipIf(noApptainer !== "")(
      `a SIF file of real Apptainer, its file system by itself, and unpacked${noApptainer}`,
      async () => {
        forget();
        expect(await findings("theirs.sif")).toEqual(expected);
        for (const bare of ["theirs.sqfs", "sandbox"]) {
          forget();
          expect(await findings(bare)).toEqual(expected);
        }
      },
    );

    it("what is published of a container that is not built, and says which", async () => {
      renameSync(place.work.path("dist"), place.work.path("elsewhere"));
      try {
        forget();
        const digest = JSON.parse(
          readFileSync(place.work.path("elsewhere", hostArchitecture, "hello-mpi/index.json"), "utf8"),
        ).manifests[0].digest as string;
        const found = await findings("hello-mpi");
        expect(withoutImage(found)).toEqual(expected);
        const reference = `docker://${registry.host}/my-org/spack-hello-mpi@${digest}`;
        expect(found[0]).toEqual({
          severity: "ok",
          check: "image",
          message: `it is not built here; ${reference}, which is published, was read`,
          evidence: [reference],
        });
        const job = await run(["job", "hello-mpi", "--site", "near", "--", "ring"]);
        expect(job.status, job.stderr).toBe(0);
        expect(job.stderr).toContain(
          `hello-mpi is not built here: ${reference}, which is published, was checked`,
        );
        expect(job.stdout).toContain("--mpi=pmi2");
        const image = async (site: string): Promise<unknown> => {
          const result = await run(["doctor", site, "hello-mpi", "--json"]);
          const { examinations } = jsonLines(result).at(-1) as unknown as {
            readonly examinations: readonly { readonly findings: readonly Found[] }[];
          };
          return examinations[0]?.findings.filter(({ check }) => check === "image");
        };
        const path = place.work.path("ours.sif");
        place.site("filed", `runtime: apptainer\nmpi: [pmi2]\nimage: ${path}\n`);
        expect(await image("filed")).toMatchObject([{ severity: "ok", message: `${path} was read` }]);
        const name = `${registry.host}/my-org/spack-hello-mpi`;
        place.site("tagged", `runtime: sarus\nmpi: [pmi2]\nimage: ${name}:latest\n`);
        expect(await image("tagged")).toMatchObject([
          { severity: "ok", evidence: [`docker://${name}@${digest}`] },
        ]);
        for (const other of ["/gpfs/nowhere/{name}.sif", `docker://${name}:other`]) {
          place.site("blind", `runtime: apptainer\nmpi: [pmi2]\nimage: ${other}\n`);
          expect(await image("blind")).toMatchObject([
            { severity: "ok" },
            {
              severity: "warning",
              message: expect.stringContaining(
                `the site runs ${other.replace("{name}", "hello-mpi")}, which cannot be read`,
              ),
            },
          ]);
        }
        const refused = await run(["job", "hello-mpi", "--site", "near", "--mpi", "none", "--", "ring"]);
        expect(refused.status).toBe(1);
        expect(refused.stderr).toContain("SITE_MISMATCH");
        const unchecked = await run(["job", "hello-mpi", "--site", "near", "--no-check", "--", "ring"]);
        expect(unchecked.status).toBe(0);
        expect(unchecked.stderr).toContain("is not checked");
        // Nobody lets us in: the script is written all the same, and doctor says why it knows nothing.
        const stranger = { FORMS_PASSWORD: "wrong" };
        const blind = await run(["job", "hello-mpi", "--site", "near", "--", "ring"], stranger);
        expect(blind.status).toBe(0);
        expect(blind.stderr).toMatch(/the image is not here, so whether it fits near is not checked: /);
        expect(blind.stderr).not.toContain("wrong");
        const doctor = await run(["doctor", "near", "hello-mpi"], stranger);
        expect(doctor.status).toBe(4);
        expect(doctor.stderr).toMatch(
          /NOT_FOUND {2}hello-mpi is not built yet, and what is published cannot be read: /,
        );
      } finally {
        renameSync(place.work.path("elsewhere"), place.work.path("dist"));
      }
    });

    it("reads an image of a registry once, and does not download it again", async () => {
      forget();
      const form = `docker://${registry.host}/my-org/spack-hello-mpi:latest`;
      const first = await run(["doctor", "near", form, "--json"]);
      expect(jsonLines(first).some(({ label }) => label === "files of the image")).toBe(true);
      rmSync(join(place.work.cacheHome, "spacktainers/base"), { recursive: true, force: true });
      const second = await run(["doctor", "near", form, "--json"]);
      expect(jsonLines(second).map(({ type }) => type)).toEqual(["result"]);
      expect(existsSync(join(place.work.cacheHome, "spacktainers/base/layers"))).toBe(false);
    });

    it("a job finds the image where it is, in the words of the site's runtime", async () => {
      const script = async (form: string): Promise<string> => {
        const { status, stdout, stderr } = await run(["job", form, "--site", "near", "--", "ring"]);
        expect(status, stderr).toBe(0);
        expect(stderr).not.toContain("is not checked");
        return stdout;
      };
      expect(await script("ours.sif")).toContain(place.work.path("ours.sif"));
      expect(await script("oci-archive:hello.tar")).toContain(`oci-archive:${place.work.path("hello.tar")}`);
      const name = `${registry.host}/my-org/spack-hello-mpi:latest`;
      expect(await script(name)).toContain(`docker://${name}`);
      place.site("pods", "runtime: podman\nmpi: [pmi2]\n");
      const refused = await run(["job", "ours.sif", "--site", "pods", "--", "ring"]);
      expect(refused.stderr).toMatch(/NOT_SUPPORTED {2}podman does not run ours\.sif/);
    });

    it("is refused with one clear error when it is no image, and is not remembered", async () => {
      const sif = readFileSync(place.work.path("ours.sif"));
      // The partition begins at a multiple of 4096; its superblock is left, what it points to is not.
      const damaged = Buffer.from(sif);
      damaged.fill(0xff, damaged.length - 8192, damaged.length - 16);
      const cases: readonly (readonly [string, Buffer, string])[] = [
        ["text.sif", Buffer.from("not an image\n"), "ARCHIVE_INVALID"],
        ["cut.sif", sif.subarray(0, sif.length >> 1), "ARCHIVE_INVALID"],
        ["damaged.sif", damaged, "ARCHIVE_INVALID"],
        ["head.sif", sif.subarray(0, 128), "ARCHIVE_INVALID"],
        ["notes.txt", Buffer.from("notes\n"), "NOT_SUPPORTED"],
      ];
      for (const [name, bytes, code] of cases) {
        writeFileSync(place.work.path(name), bytes);
        for (const verb of [
          ["doctor", "near", name],
          ["job", name, "--site", "near", "--", "ring"],
        ]) {
          const { status, stdout, stderr } = await run(verb);
          expect(status, `${verb.join(" ")}: ${stdout}${stderr}`).toBe(1);
          expect(stderr).toContain(`error  ${code}`);
          expect(stderr.match(/error {2}[A-Z]/g)).toHaveLength(1);
          expect(stdout).toBe("");
        }
      }
      const left = spawnSync("ls", ["-A", join(place.work.cacheHome, "spacktainers/archives")], {
        encoding: "utf8",
      });
      // What is known of the contents of good files stays.
      expect(left.stdout.split("\n").filter((name) => name !== "contents" && name !== "")).toEqual([]);
    });

    it("is for another machine, or not there: each is one error", async () => {
      const other = hostArchitecture === "amd64" ? "arm64" : "amd64";
      const foreign = await run(["doctor", "near", "ours.sif", "--arch", other]);
      expect(foreign.stderr).toContain(
        `NOT_SUPPORTED  the image is for ${hostArchitecture}, not for ${other}`,
      );
      const gone = await run(["doctor", "near", `docker://${registry.host}/my-org/none:1`]);
      expect(gone.status).toBe(4);
      expect(gone.stderr).toContain("NOT_FOUND");
    });

    it("changed in place is another image", async () => {
      const digestOf = (): string =>
        createHash("sha256")
          .update(readFileSync(place.work.path("ours.sif")))
          .digest("hex");
      const before = digestOf();
      const made = await run(["sif", "hello-mpi", "-o", "ours.sif", "--compression", "gzip"]);
      expect(made.status, made.stderr).toBe(0);
      expect(digestOf()).not.toBe(before);
      const result = await run(["doctor", "near", "ours.sif", "--json"]);
      expect(jsonLines(result).some(({ label }) => label === "files of the image")).toBe(true);
      const again = await run(["doctor", "near", "ours.sif", "--json"]);
      expect(jsonLines(again).some(({ label }) => label === "files of the image")).toBe(false);
    });
  },
);
